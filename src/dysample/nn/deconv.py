"""Transposed convolution."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from dysample.geometry import read_nearest
from dysample.nn.base import Upsampler


class Deconv(Upsampler):
    """Transposed convolution ("deconvolution"), kernel 2s - 1, stride s.

    At s = 2 the published form: kernel 3, stride 2, padding 1, output padding 1. Other scales keep
    two properties of it: every output pixel is reached, and the centre tap lands on the first
    sub-pixel. At sizes that are not s times the input's, each output pixel reads the s-fold result
    at the nearest of its pixels.

    Args:
        in_channels: C.
        scale_factor: used when the call gives no size; s is the next whole number.
        out_channels: channels of the result; C if not given.

    State: `weight` (C, out_channels, 2s - 1, 2s - 1), `bias` (out_channels,), with the default
    initialisation of `torch.nn.ConvTranspose2d`.
    """

    def __init__(
        self, in_channels: int, scale_factor: float = 2, *, out_channels: int | None = None
    ) -> None:
        super().__init__(in_channels, scale_factor, out_channels=out_channels)
        conv = nn.ConvTranspose2d(in_channels, self.out_channels, 2 * self.ceil_scale - 1)
        self.weight, self.bias = conv.weight, conv.bias

    def _reads_of_x(self) -> int:
        return self.weight.shape[0]

    @property
    def out_channels(self) -> int:
        """Channels of the output, as in the weight."""
        weight = self._parameters.get("weight")
        return self._out_channels if weight is None else weight.shape[1]

    def upsample(self, x: Tensor, guide: Tensor | None, size: tuple[int, int]) -> Tensor:
        """See `Upsampler.upsample`."""
        rim = self.ceil_scale - 1
        out = F.conv_transpose2d(
            x, self.weight, self.bias, stride=self.ceil_scale, padding=rim, output_padding=rim
        )
        return read_nearest(out, size)

    def macs(self, height: int, width: int, size: tuple[int, int] | None = None) -> int:
        """Count the whole kernel for every low-res pixel."""
        return (
            self.in_channels * self.out_channels * (2 * self.ceil_scale - 1) ** 2 * height * width
        )
