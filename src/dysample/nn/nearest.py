"""Nearest-neighbour upsampling."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from dysample.geometry import read_nearest, statically_true
from dysample.nn.base import Upsampler
from dysample.nn.weights import channels_read


class Nearest(Upsampler):
    """Each output pixel copies the low-res pixel that holds its centre.

    out[Y, X] = x[floor((Y + 1/2) * H / H'), floor((X + 1/2) * W / W')]. No parameters unless
    out_channels differs from in_channels. At whole scales this equals
    `torch.nn.Upsample(mode="nearest")`, at all scales its "nearest-exact". At other scales torch's
    "nearest" reads floor(Y * H / H') instead, which shifts the map.

    Args:
        in_channels: C.
        scale_factor: used when the call gives no size.
        out_channels: see `Upsampler`.
    """

    def __init__(
        self, in_channels: int, scale_factor: float = 2, *, out_channels: int | None = None
    ) -> None:
        super().__init__(in_channels, scale_factor, out_channels=out_channels)
        self.project = self.projection()

    def _reads_of_x(self) -> int | None:
        return channels_read(self._modules.get("project"))

    def upsample(self, x: Tensor, guide: Tensor | None, size: tuple[int, int]) -> Tensor:
        """See `Upsampler.upsample`."""
        x = self.project(x)
        height, width = x.shape[-2:]
        if statically_true(size[0] % height == 0) and statically_true(size[1] % width == 0):
            return F.interpolate(x, size, mode="nearest")  # the same pixels, faster
        return read_nearest(x, size)

    def macs(self, height: int, width: int, size: tuple[int, int] | None = None) -> int:
        """Count nothing: copying needs no multiplication."""
        return self.projection_macs(height, width)
