"""What the tests of models with exchanged upsamplers share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from dysample.nn import Guided


class Recorder(Guided):
    """A nearest upsampler of 8 channels that notes what it is called with."""

    def __init__(self) -> None:
        super().__init__(8)
        self.calls: list[Any] = []

    def upsample(self, x: Any, guide: Any, size: Any) -> Any:
        self.calls.append((x, guide, size))
        return nn.functional.interpolate(x, size=size)

    def macs(self, height: int, width: int, size: tuple[int, int] | None = None) -> int:
        return 0


def check_same_but_upsamplers(
    build: Callable[[str], nn.Module], *names: str, inside: str = "upsamplers"
) -> dict[str, torch.Tensor]:
    """Models with these upsamplers are equal elsewhere; returns the first one's other state."""
    first, *others = (
        {k: v for k, v in build(name).state_dict().items() if inside not in k} for name in names
    )
    for other in others:
        assert other.keys() == first.keys()
        assert all(torch.equal(other[k], first[k]) for k in first)
    return first
