"""TorchScript support for the upsamplers.

TorchScript compiles neither the checks, nor the choice of a backend, nor arguments of several
types. So it gets a trace, which consists of torch's own operators and holds for any batch and size.
"""

from __future__ import annotations

import warnings

import torch
from torch import Tensor, nn

from dysample.geometry import scaled_size


class Traced(nn.Module):
    """A trace as a scriptable module, `forward(x)`."""

    def __init__(self, traced: nn.Module) -> None:
        super().__init__()
        self.traced = traced

    def forward(self, x: Tensor) -> Tensor:
        """Upsample x to the size of the scale factor."""
        out: Tensor = self.traced(x)
        return out


class TracedWithGuide(nn.Module):
    """The trace of a guided upsampler as a scriptable module, `forward(x, guide)`."""

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
    """Return a scriptable module in place of an upsampler.

    Parameters are shared. The mode, training or eval, is fixed at the time of the call.

    Args:
        up: the upsampler.
        in_channels: C of the upsampler.
        guide_channels: channels of its guide; None if it reads none.
        scale_factor: of the upsampler.
    """
    like = next(up.parameters(), torch.empty(0))
    given = [like.new_ones(2, in_channels, 4, 6)]
    if guide_channels is not None:
        given.append(like.new_ones(2, guide_channels, *scaled_size(4, 6, scale_factor)))
    with warnings.catch_warnings():
        # The tracer warns of every branch, here only those of checks, and torch of its deprecation.
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(up, tuple(given), check_trace=False)  # type: ignore[no-untyped-call]
    return Traced(traced) if guide_channels is None else TracedWithGuide(traced)
