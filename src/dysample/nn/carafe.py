"""CARAFE: content-aware reassembly of features."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from dysample import functional
from dysample.checks import check_divides, check_odd, check_positive_int
from dysample.geometry import pixel_shuffle, read_nearest
from dysample.layout import compute_dtype
from dysample.nn.base import Inspection, Upsampler
from dysample.nn.weights import channels_read


class CARAFE(Upsampler):
    """Predicts a k x k kernel for every output pixel and sums the low-res neighbours with it.

    A 1x1 convolution compresses the features, a second convolution predicts k^2 logits per
    sub-pixel and group, a softmax makes them kernels. No activation lies between the two
    convolutions. The positional arguments are those of the published `CARAFEPack`.

    Args:
        in_channels: C.
        scale_factor: used when the call gives no size; kernels are predicted at the next whole
            number s, and at sizes other than s times the input's each output pixel takes the
            nearest of them.
        up_kernel: k, odd.
        up_group: G groups of channels with kernels of their own; divides out_channels.
        encoder_kernel: kernel size of the second convolution, odd.
        encoder_dilation: its dilation.
        compressed_channels: channels between the two convolutions.
        out_channels: see `Upsampler`.

    State: `channel_compressor.{weight, bias}`, `content_encoder.{weight, bias}`. The initial
    kernels are nearly uniform, i.e. a box filter.

    Source: Wang et al., "CARAFE: Content-Aware ReAssembly of FEatures", ICCV 2019
    [wang2019carafe].
    """

    def __init__(
        self,
        in_channels: int,
        scale_factor: float = 2,
        up_kernel: int = 5,
        up_group: int = 1,
        encoder_kernel: int = 3,
        encoder_dilation: int = 1,
        compressed_channels: int = 64,
        *,
        out_channels: int | None = None,
    ) -> None:
        super().__init__(in_channels, scale_factor, out_channels=out_channels)
        self.up_kernel = check_odd("up_kernel", up_kernel)
        self.up_group = check_positive_int("up_group", up_group)
        check_divides("up_group", up_group, "out_channels", self.out_channels)
        check_odd("encoder_kernel", encoder_kernel)
        check_positive_int("encoder_dilation", encoder_dilation)
        check_positive_int("compressed_channels", compressed_channels)
        self.project = self.projection()
        self.channel_compressor = nn.Conv2d(in_channels, compressed_channels, 1)
        self.content_encoder = nn.Conv2d(
            compressed_channels,
            up_kernel**2 * up_group * self.ceil_scale**2,
            encoder_kernel,
            padding=(encoder_kernel - 1) * encoder_dilation // 2,
            dilation=encoder_dilation,
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Xavier-uniform compressor, N(0, 0.001^2) encoder, zero biases."""
        nn.init.xavier_uniform_(self.channel_compressor.weight)
        nn.init.normal_(self.content_encoder.weight, std=0.001)
        for conv in (self.channel_compressor, self.content_encoder):
            if conv.bias is not None:
                nn.init.zeros_(conv.bias)

    def _reads_of_x(self) -> int | None:
        return channels_read(self._modules.get("channel_compressor"))

    def upsample(self, x: Tensor, guide: Tensor | None, size: tuple[int, int]) -> Tensor:
        """See `Upsampler.upsample`."""
        return functional.carafe(
            self.project(x),
            self._logits(x),
            self.ceil_scale,
            kernel=self.up_kernel,
            groups=self.up_group,
            size=size,
        )

    def kernels(self, x: Tensor, size: tuple[int, int] | None = None) -> Tensor:
        """Kernels (B, G, k^2, H', W') as `dysample.functional.reassemble` takes them."""
        field = pixel_shuffle(self._logits(x), self.ceil_scale)
        if size is not None:
            field = read_nearest(field, size)
        B, _, Y, X = field.shape
        logits = field.to(compute_dtype(x)).reshape(B, self.up_group, self.up_kernel**2, Y, X)
        return logits.softmax(dim=2)

    def _inspect(self, x: Tensor, guide: Any, size: tuple[int, int] | None) -> Inspection:
        return Inspection(self.project(x), kernels=self.kernels(x, size))

    def _logits(self, x: Tensor) -> Tensor:
        logits: Tensor = self.content_encoder(self.channel_compressor(x))
        return logits

    def macs(self, height: int, width: int, size: tuple[int, int] | None = None) -> int:
        """Count both convolutions, and k^2 taps for each output element."""
        kernels = self.content_encoder.weight.numel() + self.channel_compressor.weight.numel()
        taps = self.up_kernel**2 * self.out_channels * self.out_pixels(height, width, size)
        return self.projection_macs(height, width) + kernels * height * width + taps
