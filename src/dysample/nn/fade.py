"""FADE and FADE-Lite: kernels from the encoder's and the decoder's features, and a gate."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from dysample import functional
from dysample.checks import check_bool, check_odd, check_positive_int
from dysample.fixed import is_exporting
from dysample.geometry import read_nearest
from dysample.layout import compute_dtype, like_input
from dysample.nn.base import Guided, Inspection
from dysample.nn.weights import channels_read

# The first release ("H2L") names the weights of the kernel generator differently.
_H2L_KEYS = {
    "conv1_en.weight": "compressor_en.weight",
    "conv1_en.bias": "compressor_en.bias",
    "conv1_de.weight": "compressor_de.weight",
    "conv2_kernels": "content_encoder.weight",
    "conv2_bias": "content_encoder.bias",
}


class _SemiShift(Guided):
    """Shared code of FADE and FADE-Lite, whose kernel generators differ in width and groups."""

    def __init__(
        self,
        in_channels: int,
        scale_factor: float,
        guide_channels: int | None,
        out_channels: int | None,
        up_kernel: int,
        embedding: int,
        groups: int,
        gating: bool,
    ) -> None:
        super().__init__(
            in_channels, scale_factor, guide_channels=guide_channels, out_channels=out_channels
        )
        guide_channels = self._guide_channels
        if check_bool("gating", gating) and guide_channels != self.out_channels:
            raise ValueError(
                f"`guide_channels` (={guide_channels}) must equal out_channels"
                f" (={self.out_channels}): the gate blends the guide with the result;"
                " gating=False takes any"
            )
        self.up_kernel = up_kernel
        self.gate_generator = _GateGenerator(in_channels) if gating else None
        self.ker_generator = _KernelGenerator(
            guide_channels, in_channels, embedding, up_kernel**2, groups
        )
        self.project = self.projection()
        self.reset_parameters()

    @property
    def gating(self) -> bool:
        """Whether the guide is blended into the result."""
        return self.gate_generator is not None

    def reset_parameters(self) -> None:
        """Xavier-uniform convolutions, zero biases."""
        generator = self.ker_generator
        convs = [generator.compressor_en, generator.compressor_de, generator.content_encoder]
        if self.gate_generator is not None:
            convs.append(self.gate_generator.conv)
        for conv in convs:
            nn.init.xavier_uniform_(conv.weight)
            if conv.bias is not None:
                nn.init.zeros_(conv.bias)

    def _reads_of_x(self) -> int | None:
        return channels_read(self.ker_generator.compressor_de)

    def _reads_of_guide(self) -> int | None:
        return channels_read(self.ker_generator.compressor_en)

    def kernels(self, x: Tensor, guide: Tensor) -> Tensor:
        """Kernels (B, 1, k^2, H', W') as `dysample.functional.reassemble` takes them."""
        logits: Tensor = self.ker_generator(guide, x)
        return logits.softmax(dim=1).unsqueeze(1)

    def gate(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        """Return the share (B, 1, H', W') of the guide in the result.

        Raises:
            ValueError: there is no gate.
        """
        if self.gate_generator is None:
            raise ValueError("`gating` (=False) must be True for a gate")
        gate: Tensor = self.gate_generator(x, size)
        return gate

    def upsample(self, x: Tensor, guide: Tensor, size: tuple[int, int]) -> Tensor:
        """See `Upsampler.upsample`."""
        if self.gate_generator is None:
            logits: Tensor = self.ker_generator(guide, x)
            return functional.reassemble(self.project(x), logits.unsqueeze(1), softmax=True)
        # The kernels are scaled by 1 - gate, so that the guide's part can be added in place,
        # without a second map of the output's size.
        coarse: Tensor = self.project(x)
        if guide.shape[1] != coarse.shape[1]:
            raise ValueError(
                f"`guide` channels (={guide.shape[1]}) must equal those of the result"
                f" (={coarse.shape[1]}): the gate blends them"
            )
        weight = self.kernels(x, guide)
        gate = self.gate(x, size)
        out = functional.reassemble(coarse, weight * (1 - gate).unsqueeze(2))
        dtype = compute_dtype(x)
        if is_exporting():  # fewer runtimes know the operator that does both
            return like_input(out.to(dtype) + gate * guide.to(dtype), x)
        return like_input(out.to(dtype).addcmul_(gate, guide.to(dtype)), x)

    def _inspect(self, x: Tensor, guide: Any, size: tuple[int, int] | None) -> Inspection:
        size = (guide.shape[2], guide.shape[3])
        gate = self.gate(x, size) if self.gating else None
        return Inspection(self.project(x), kernels=self.kernels(x, guide), gate=gate)

    def macs(self, height: int, width: int, size: tuple[int, int] | None = None) -> int:
        """Count both convolutions, k^2 taps for each output element, and 2 for the gate."""
        pixels, out_pixels = height * width, self.out_pixels(height, width, size)
        generator = self.ker_generator
        of_guide = generator.compressor_en.weight.numel() + generator.content_encoder.weight.numel()
        of_x = generator.compressor_de.weight.numel() + generator.content_encoder.weight.numel()
        taps = self.up_kernel**2 * self.out_channels * out_pixels
        if self.gating:
            of_x += self.in_channels
            taps += 2 * self.out_channels * out_pixels
        convolutions = of_guide * out_pixels + of_x * pixels
        return self.projection_macs(height, width) + convolutions + taps

    def extra_repr(self) -> str:
        """Return channels, scale and variant, as `print(model)` shows them."""
        return super().extra_repr() + f", up_kernel={self.up_kernel}, gating={self.gating}"

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        """Accept the keys of the first release too."""
        for theirs, ours in _H2L_KEYS.items():
            if f"{prefix}kernel_generator.{theirs}" in state_dict:
                value = state_dict.pop(f"{prefix}kernel_generator.{theirs}")
                state_dict[f"{prefix}ker_generator.{ours}"] = value
        super()._load_from_state_dict(state_dict, prefix, *args)


class FADE(_SemiShift):
    """Reassembles with k x k kernels that see the guide's detail and x's meaning, then gates.

    Both features are compressed to `embedding` channels and one 3x3 convolution E reads each at
    its own resolution; the sum of the two are the logits of a kernel for every output pixel. A
    gate predicted from x then blends the guide itself into the result.

        kernels = softmax(E(P_en guide + b) + nearest(E(P_de x)))
        r = reassemble(x, kernels)
        out = gate * guide + (1 - gate) * r,  gate = sigmoid(nearest(conv1x1(x)))

    E's bias enters both terms. E never runs on upsampled features: it reads x at low resolution
    and its result is spread.

    Args:
        in_channels: C.
        scale_factor: of `macs` alone: the guide gives the size of the output, and any is legal.
        guide_channels: channels of the guide; C if not given. With gating they must equal
            out_channels.
        out_channels: see `Upsampler`.
        up_kernel: k, odd.
        embedding: channels that guide and x are compressed to.
        gating: blend the guide into the result; without, out = r (the published `SemiShiftUp`).

    State: `ker_generator.compressor_en.{weight, bias}`, `ker_generator.compressor_de.weight`,
    `ker_generator.content_encoder.{weight, bias}`, with gating `gate_generator.conv.{weight,
    bias}`. The first release's `kernel_generator.conv1_*` and `conv2_*` load too. Initialised
    xavier-uniform with zero biases.

    Known deviation: the published code is fixed to twice the size, and its first release to
    square maps; here any size works.

    Source: Lu et al., "FADE: Fusing the Assets of Decoder and Encoder for Task-Agnostic
    Upsampling", ECCV 2022 [lu2022fade].
    """

    def __init__(
        self,
        in_channels: int,
        scale_factor: float = 2,
        *,
        guide_channels: int | None = None,
        out_channels: int | None = None,
        up_kernel: int = 5,
        embedding: int = 64,
        gating: bool = True,
    ) -> None:
        super().__init__(
            in_channels,
            scale_factor,
            guide_channels,
            out_channels,
            check_odd("up_kernel", up_kernel),
            check_positive_int("embedding", embedding),
            1,
            gating,
        )


class FADELite(_SemiShift):
    """FADE with a cheaper kernel generator.

    Guide and x are compressed to k^2 channels straight away, one for each tap, and E is a
    depthwise 3x3 convolution. Formula, gate and sizes are those of `FADE`.

    Args:
        in_channels: C.
        scale_factor: of `macs` alone: the guide gives the size of the output, and any is legal.
        guide_channels: channels of the guide; C if not given. With gating they must equal
            out_channels.
        out_channels: see `Upsampler`.
        up_kernel: k, odd.
        gating: blend the guide into the result.

    State: the keys of `FADE`. Initialised xavier-uniform with zero biases.

    Known deviation: the published code is fixed to twice the size; here any size works.

    Source: Lu et al., "FADE: A Task-Agnostic Upsampling Operator for Encoder-Decoder
    Architectures", IJCV 2024 [lu2024fade].
    """

    def __init__(
        self,
        in_channels: int,
        scale_factor: float = 2,
        *,
        guide_channels: int | None = None,
        out_channels: int | None = None,
        up_kernel: int = 5,
        gating: bool = True,
    ) -> None:
        taps = check_odd("up_kernel", up_kernel) ** 2
        super().__init__(
            in_channels, scale_factor, guide_channels, out_channels, up_kernel, taps, taps, gating
        )


class _KernelGenerator(nn.Module):
    """Predict logits (B, taps, H', W') from a guide of that size and x of any size."""

    def __init__(
        self, guide_channels: int, in_channels: int, embedding: int, taps: int, groups: int
    ) -> None:
        super().__init__()
        self.compressor_en = nn.Conv2d(guide_channels, embedding, 1)
        self.compressor_de = nn.Conv2d(in_channels, embedding, 1, bias=False)
        self.content_encoder = nn.Conv2d(embedding, taps, 3, padding=1, groups=groups)

    def forward(self, guide: Tensor, x: Tensor) -> Tensor:
        fine: Tensor = self.content_encoder(self.compressor_en(guide))
        coarse: Tensor = self.content_encoder(self.compressor_de(x))
        dtype = compute_dtype(x)
        size = (guide.shape[2], guide.shape[3])
        return fine.to(dtype) + read_nearest(coarse.to(dtype), size)


class _GateGenerator(nn.Module):
    """Share (B, 1, H', W') of the guide in the result."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, 1, 1)

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        logits: Tensor = self.conv(x)
        return read_nearest(logits.to(compute_dtype(x)).sigmoid(), size)
