"""Upsamplers for TorchScript.

It compiles neither checks nor the choice of a backend, nor arguments of several kinds. A trace
holds what these come to, for any batch and size, as torch's own operators.
"""

from __future__ import annotations

import warnings

import torch
from torch import Tensor, nn

from dysample.geometry import scaled_size


class Traced(nn.Module):
    """A trace as a module that `torch.jit.script` takes, `forward(x)`."""

    def __init__(self, traced: nn.Module) -> None:
        super().__init__()
        self.traced = traced

    def forward(self, x: Tensor) -> Tensor:
        """Upsample x to the size of the scale factor."""
        out: Tensor = self.traced(x)
        return out


class TracedWithGuide(nn.Module):
    """The same of upsamplers that read a guide, `forward(x, guide)`."""

    def __init__(self, traced: nn.Module) -> None:
        super().__init__()
        self.traced = traced

    def forward(self, x: Tensor, guide: Tensor) -> Tensor:
        """Upsample x to the size of the guide."""
        out: Tensor = self.traced(x, guide)
        return out


def scriptable(
    up: nn.Module, in_channels: int, guide_channels: int | None, scale_factor: float
) -> nn.Module:
    """What `torch.jit.script` takes in the place of an upsampler.

    Parameters are shared; whether it trains or is in use is what it was at the moment.

    Args:
        up: the upsampler.
        in_channels: its C.
        guide_channels: of its guide, None if it reads none.
        scale_factor: its own.
    """
    like = next(up.parameters(), torch.empty(0))
    given = [like.new_ones(2, in_channels, 4, 6)]
    if guide_channels is not None:
        given.append(like.new_ones(2, guide_channels, *scaled_size(4, 6, scale_factor)))
    with warnings.catch_warnings():
        # A trace warns of every branch, here those of checks alone, and torch of its future.
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(up, tuple(given), check_trace=False)  # type: ignore[no-untyped-call]
    return Traced(traced) if guide_channels is None else TracedWithGuide(traced)
