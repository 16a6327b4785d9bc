"""Convolution and pixel shuffle."""

from __future__ import annotations

from torch import Tensor, nn

from dysample.geometry import pixel_shuffle, read_nearest
from dysample.nn.base import Upsampler
from dysample.nn.weights import channels_made, channels_read


class PixelShuffle(Upsampler):
    """A 3x3 convolution to s^2 times the channels, which are then laid out as s x s sub-pixels.

    Channel c * s^2 + i * s + j becomes sub-pixel (row i, column j) of channel c. At sizes that
    are not s times the input's, each output pixel reads the s-fold result at the nearest of its
    pixels.

    Args:
        in_channels: C.
        scale_factor: used when the call gives no size; s is the next whole number.
        out_channels: channels of the result; C if not given.

    State: `0.weight` (out_channels * s^2, C, 3, 3), `0.bias`, PyTorch's default initialisation.

    Source: Shi et al., "Real-Time Single Image and Video Super-Resolution Using an Efficient
    Sub-Pixel Convolutional Neural Network", CVPR 2016 [shi2016espcn].
    """

    def __init__(
        self, in_channels: int, scale_factor: float = 2, *, out_channels: int | None = None
    ) -> None:
        super().__init__(in_channels, scale_factor, out_channels=out_channels)
        # "0": the published module is an nn.Sequential, and its checkpoints are named so.
        conv = nn.Conv2d(in_channels, self.out_channels * self.ceil_scale**2, 3, padding=1)
        self.add_module("0", conv)

    def _reads_of_x(self) -> int | None:
        return channels_read(self._modules["0"])

    @property
    def out_channels(self) -> int:
        """Channels of the output: those of the weight, divided by s^2."""
        made = channels_made(self._modules.get("0"))
        return self._out_channels if made is None else made // self.ceil_scale**2

    def upsample(self, x: Tensor, guide: Tensor | None, size: tuple[int, int]) -> Tensor:
        """See `Upsampler.upsample`."""
        out = pixel_shuffle(self.get_submodule("0")(x), self.ceil_scale)
        return read_nearest(out, size)

    def macs(self, height: int, width: int, size: tuple[int, int] | None = None) -> int:
        """Count the convolution; the shuffle only moves numbers."""
        return 9 * self.in_channels * self.out_channels * self.ceil_scale**2 * height * width
