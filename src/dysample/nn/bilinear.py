"""Bilinear upsampling."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from dysample.nn.base import Upsampler
from dysample.nn.weights import channels_read


class Bilinear(Upsampler):
    """Bilinear interpolation at (Y + 1/2) * H / H' - 1/2, clamped to the border.

    Equal to `torch.nn.functional.interpolate(x, size, mode="bilinear", align_corners=False)`.
    No parameters unless out_channels differs from in_channels.

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
        return F.interpolate(self.project(x), size, mode="bilinear", align_corners=False)

    def macs(self, height: int, width: int, size: tuple[int, int] | None = None) -> int:
        """Count 4 taps for each output element."""
        sampling = 4 * self.out_channels * self.out_pixels(height, width, size)
        return self.projection_macs(height, width) + sampling
