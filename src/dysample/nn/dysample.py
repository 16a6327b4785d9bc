"""DySample: learning to upsample by learning to sample."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from dysample import functional, ops
from dysample.checks import check_bool, check_choice, check_divides, check_positive_int
from dysample.geometry import pixel_shuffle, read_nearest, regular_position, sampling_positions
from dysample.layout import compute_dtype
from dysample.nn.base import Inspection, Upsampler
from dysample.nn.weights import channels_made, channels_read, is_plain
from dysample.numeric import check_number

STYLES = ("lp", "pl")


class DySample(Upsampler):
    """Predicts where each output pixel looks, and samples the low-res map there bilinearly.

    A 1x1 convolution predicts an offset from the regular position for each output pixel and
    group of channels. The paper's variants are (style, groups, dyscope): DySample (lp, 4, no),
    DySample+ (lp, 4, yes), DySample-S (pl, 8, no), DySample-S+ (pl, 8, yes). Calls written for
    the published class work unchanged.

    Args:
        in_channels: C.
        scale_factor: used when the call gives no size; offsets are predicted at the next whole
            number s, and at sizes other than s times the input's each output pixel takes the
            nearest of them.
        style: "lp" predicts the offsets of s^2 sub-pixels from each low-res pixel ("linear, then
            pixel shuffle"); "pl" from C / s^2 channels at high resolution ("pixel shuffle, then
            linear"), with s^4 times fewer parameters.
        groups: G groups of channels that are sampled at places of their own; divides
            in_channels and out_channels.
        dyscope: scale the offsets by 2 * scope_factor * sigmoid(a second 1x1 convolution)
            instead of the constant scope_factor.
        out_channels: see `Upsampler`.
        end_convolution: make out_channels by a 1x1 convolution `end_conv` behind the sampling, as
            super-resolution models of spandrel and neosr do, in place of `project` in front of
            it; it is there even if C channels come out, and groups need not divide them.
        scope_factor: range of the offsets; at 0.25 those of neighbouring sub-pixels just touch.
        start: "bilinear" puts the regular positions of the sub-pixels evenly, "nearest" all on
            the centre of their low-res pixel (the first step of the paper's design).
        scale: the published class's name for scale_factor.

    State: `offset.weight` (2 G s^2, C, 1, 1) for lp, (2 G, C / s^2, 1, 1) for pl; `offset.bias`;
    with dyscope `scope.weight` of the same shape; `project` or `end_conv` with `weight` and `bias`,
    initialised as PyTorch does. The others are initialised to N(0, 0.001^2), so that training
    starts at bilinear interpolation. Published checkpoints load unchanged: their `init_pos` is
    compared with `start` and dropped, and the `scope.bias` of older and forked ones is kept.
    `dysample.nn.published_state_dict` writes them for programs that want `init_pos`.

    Known deviation: positions are computed in float32 for every dtype, where the published code
    uses the input's (in bfloat16 wrong by whole pixels), and exactly, where it rounds `init_pos`
    to float32 (1e-8).

    Source: Liu et al., "Learning to Upsample by Learning to Sample", ICCV 2023 [liu2023dysample].
    """

    def __init__(
        self,
        in_channels: int,
        scale_factor: float = 2,
        style: str = "lp",
        groups: int = 4,
        dyscope: bool = False,
        *,
        out_channels: int | None = None,
        end_convolution: bool = False,
        scope_factor: float = 0.25,
        start: str = "bilinear",
        scale: float | None = None,
    ) -> None:
        if scale is not None:
            if scale_factor not in (2, scale):
                raise ValueError(
                    f"`scale` (={scale}) and `scale_factor` (={scale_factor}) name the same"
                    " thing: give one"
                )
            scale_factor = scale
        super().__init__(in_channels, scale_factor, out_channels=out_channels)
        self.style = check_choice("style", style, STYLES)
        self.groups = check_positive_int("groups", groups)
        check_divides("groups", groups, "in_channels", in_channels)
        self.end_convolution = check_bool("end_convolution", end_convolution)
        if not end_convolution:
            check_divides("groups", groups, "out_channels", self.out_channels)
        self.dyscope = check_bool("dyscope", dyscope)
        self.scope_factor = check_number("scope_factor", scope_factor)
        self.start = check_choice("start", start, functional.STARTS)
        planes = 2 * groups
        if style == "pl":
            check_divides("scale^2", self.ceil_scale**2, "in_channels", in_channels)
            self.offset = nn.Conv2d(in_channels // self.ceil_scale**2, planes, 1)
        else:
            self.offset = nn.Conv2d(in_channels, planes * self.ceil_scale**2, 1)
        self.project = nn.Identity() if end_convolution else self.projection()
        if dyscope:
            self.scope = nn.Conv2d(self.offset.in_channels, self.offset.out_channels, 1, bias=False)
        if end_convolution:
            self.end_conv = nn.Conv2d(in_channels, self._out_channels, 1)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """offset.weight N(0, 0.001^2), offset.bias 0, scope 0 (so the dynamic scope starts at
        scope_factor).
        """
        nn.init.normal_(self.offset.weight, std=0.001)
        if self.offset.bias is not None:
            nn.init.zeros_(self.offset.bias)
        if self.dyscope:
            nn.init.zeros_(self.scope.weight)

    def _reads_of_x(self) -> int | None:
        read = channels_read(self._modules.get("offset"))
        return read if read is None or self.style == "lp" else read * self.ceil_scale**2

    @property
    def out_channels(self) -> int:
        """Channels of the output: those of `end_conv`, of `project`, or C."""
        made = channels_made(self._modules.get("end_conv"))
        return super().out_channels if made is None else made

    def upsample(self, x: Tensor, guide: Tensor | None, size: tuple[int, int]) -> Tensor:
        """See `Upsampler.upsample`."""
        out = functional.dysample(
            self.project(x), self.offsets(x), self.ceil_scale, size=size, start=self.start
        )
        return self.end_conv(out) if self.end_convolution else out

    def offsets(self, x: Tensor) -> Tensor:
        """Return offsets (B, 2 G s^2, H, W) in low-res pixels, see `functional.dysample`."""
        B, C, H, W = x.shape
        square = self.ceil_scale**2
        if self.style == "pl":
            # A 1x1 convolution works on each pixel alone, so the s^2 sub-pixels need no shuffle
            # first: stacked vertically they give the same numbers.
            x = x.reshape(B, C // square, square * H, W)
        field = self._field(x)
        return field.reshape(B, 2 * self.groups * square, H, W) if self.style == "pl" else field

    def _field(self, x: Tensor) -> Tensor:
        scope = self.scope if self.dyscope else None
        if is_plain(self.offset) and (scope is None or is_plain(scope)):
            if x.dtype != self.offset.weight.dtype and not torch.is_autocast_enabled(x.device.type):
                # The kernels would take them, plain torch would not, and which of them runs depends
                # on the machine.
                raise TypeError(
                    f"`x` dtype (={x.dtype}) must equal that of the weights"
                    f" (={self.offset.weight.dtype}) outside of autocast"
                )
            return ops.offset_field(
                x,
                self.offset.weight,
                self.offset.bias,
                None if scope is None else scope.weight,
                None if scope is None else scope.bias,
                self.scope_factor,
            )
        linear: Tensor = self.offset(x)
        if scope is None:
            return linear * self.scope_factor
        opening: Tensor = scope(x)
        return linear * (opening.sigmoid() * (2 * self.scope_factor))

    def positions(self, x: Tensor, size: tuple[int, int] | None = None) -> Tensor:
        """Return where `forward` samples: (B, G, 2, H', W'), x then y, in low-res pixels.

        Pixel centres lie at integers. Positions beyond the border are returned as predicted;
        `forward` clamps them.
        """
        field = pixel_shuffle(self.offsets(x), self.ceil_scale)
        if size is not None:
            field = read_nearest(field, size)
        height, width = x.shape[-2:]
        return sampling_positions(field, (height, width), self.start, compute_dtype(x))

    def _inspect(self, x: Tensor, guide: Any, size: tuple[int, int] | None) -> Inspection:
        return Inspection(self.project(x), self.positions(x, size).unsqueeze(2))

    def macs(self, height: int, width: int, size: tuple[int, int] | None = None) -> int:
        """Count the 1x1 convolutions, and 4 taps for each sample."""
        pixels = height * width * (self.ceil_scale**2 if self.style == "pl" else 1)
        linear = self.offset.weight.numel() * (2 if self.dyscope else 1) * pixels
        each = 4 * self.out_channels
        if self.end_convolution:
            each = (4 + self.out_channels) * self.in_channels
        sampling = each * self.out_pixels(height, width, size)
        return self.projection_macs(height, width) + linear + sampling

    def extra_repr(self) -> str:
        """Return channels, scale and variant, as `print(model)` shows them."""
        variant = f", style={self.style!r}, groups={self.groups}, dyscope={self.dyscope}"
        end = ", end_convolution=True" if self.end_convolution else ""
        return super().extra_repr() + variant + end

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        """Handle the keys of published checkpoints that are not parameters here."""
        start = state_dict.pop(prefix + "init_pos", None)
        if start is not None and not _same_start(self, start):
            error_msgs.append(
                f"`{prefix}init_pos` must hold the regular positions of start={self.start!r},"
                f" scale {self.ceil_scale}, {self.groups} groups"
            )
        if self.dyscope and prefix + "scope.weight" in state_dict:
            # Before 27 March 2024, and in the detection and segmentation forks, the scope has a
            # bias: the module gets one if the checkpoint has it.
            bias = state_dict.get(prefix + "scope.bias")
            if bias is None:
                self.scope.bias = None
            elif self.scope.bias is None:
                weight = self.scope.weight
                zeros = weight.new_zeros(bias.shape)
                self.scope.bias = nn.Parameter(zeros, requires_grad=weight.requires_grad)
        super()._load_from_state_dict(
            state_dict,
            prefix,
            local_metadata,
            strict,
            missing_keys,
            unexpected_keys,
            error_msgs,
        )


def init_pos(module: DySample) -> Tensor:
    """Return the regular positions as in published checkpoints: (1, 2 G s^2, 1, 1) in float32."""
    s, groups = module.ceil_scale, module.groups
    _, part = regular_position(s, 1, module.start, torch.float32, torch.device("cpu"))
    # Plane order (axis, group, row i, column j), x moving along columns and y along rows.
    x = part.view(1, 1, s).expand(groups, s, s)
    y = part.view(1, s, 1).expand(groups, s, s)
    return torch.stack((x, y)).reshape(1, -1, 1, 1)


def _same_start(module: DySample, published: Tensor) -> bool:
    """Whether a published `init_pos` agrees with `module.start`."""
    expected = init_pos(module).flatten()
    if published.is_meta:  # a state dict on the meta device has shapes only
        return published.numel() == expected.numel()
    published = published.detach().flatten().to("cpu", torch.float32)
    # 1e-2: a checkpoint stored in bfloat16 keeps 8 bits.
    return published.shape == expected.shape and torch.allclose(published, expected, atol=1e-2)
