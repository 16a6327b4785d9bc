"""IndexNet: index maps learned from the guide."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from dysample import functional
from dysample.checks import check_bool, check_choice
from dysample.geometry import cropped, pad_to_even, pixel_shuffle
from dysample.layout import compute_dtype
from dysample.nn.base import Guided, Inspection
from dysample.nn.weights import channels_read

STYLES = ("holistic", "o2o", "m2o")


class IndexNet(Guided):
    """Weighs nearest-neighbour upsampling with a map that it predicts from the guide.

    A small network reads the guide in 2x2 blocks and predicts a logit for each of their 4
    pixels. Their sigmoid is the decoder's index map, which multiplies the upsampled x; a softmax
    of that over the 4 pixels is the encoder's, meant for pooling (`index_maps` returns both).

        idx_de = shuffle(sigmoid(logits)),  idx_en = shuffle(softmax(sigmoid(logits)))
        out = idx_de * nearest(x)

    Args:
        in_channels: C.
        scale_factor: used by `macs` alone; the guide sets the size of the output, which may be any.
        guide_channels: channels of the guide; C if not given. "o2o" and "m2o" make one map a
            channel, so there they must equal out_channels.
        out_channels: see `Upsampler`.
        style: "holistic" predicts one map for all channels (HIN); depthwise networks (DIN)
            predict one for each, "o2o" (one to one) from that channel alone, "m2o" (many to one)
            from all of them.
        nonlinear: convolution, batch norm, ReLU6, 1x1 convolution; otherwise one convolution.
        context: a 4x4 convolution that sees beyond the block; otherwise 2x2.

    State: holistic `indexnet.{0,1,3}.*`, linear `indexnet.weight`; depthwise `indexnetN.{0,1,3}.*`
    for the N = 1..4 pixels of a block. A further prefix `index.` is accepted. Initialised as
    PyTorch does.

    Known deviation: the published code needs an even guide of twice the size; here the last row and
    column of an odd guide are repeated, and any size works.

    Source: Lu et al., "Indices Matter: Learning to Index for Deep Image Matting", ICCV 2019
    [lu2019indexnet].
    """

    def __init__(
        self,
        in_channels: int,
        scale_factor: float = 2,
        *,
        guide_channels: int | None = None,
        out_channels: int | None = None,
        style: str = "holistic",
        nonlinear: bool = True,
        context: bool = True,
    ) -> None:
        super().__init__(
            in_channels, scale_factor, guide_channels=guide_channels, out_channels=out_channels
        )
        guide_channels = self._guide_channels
        self.style = check_choice("style", style, STYLES)
        self.nonlinear = check_bool("nonlinear", nonlinear)
        self.context = check_bool("context", context)
        self.project = self.projection()
        if style == "holistic":
            block = _block(guide_channels, 2 * guide_channels, 4, 1, nonlinear, context)
            self.indexnet = block if nonlinear else block[0]
            return
        if guide_channels != self.out_channels:
            raise ValueError(
                f"`guide_channels` (={guide_channels}) must equal out_channels"
                f" (={self.out_channels}): style={style!r} makes one index map a channel;"
                " style='holistic' takes any"
            )
        groups = guide_channels if style == "o2o" else 1
        for name in self._branches():
            block = _block(
                guide_channels, guide_channels, guide_channels, groups, nonlinear, context
            )
            self.add_module(name, block)

    def reset_parameters(self) -> None:
        """PyTorch's defaults."""
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.BatchNorm2d)):
                module.reset_parameters()

    def index_maps(self, guide: Tensor) -> tuple[Tensor, Tensor]:
        """Return the encoder's and the decoder's index map of a guide (B, C, H', W').

        Each is (B, 1, H', W'), or (B, C, H', W') for the depthwise styles. In the encoder's the 4
        pixels of a block sum to 1; indexed pooling is 4 * avg_pool2d(idx_en * guide, 2).
        """
        indices = self._indices(guide)
        return _shuffle(indices.softmax(dim=2), guide), _shuffle(indices, guide)

    def kernels(self, x: Tensor, guide: Tensor) -> Tensor:
        """Return the decoder's index map as kernels of one tap, (B, 1 or C, 1, H', W').

        `dysample.functional.reassemble` takes them. They depend only on the guide.
        """
        return _shuffle(self._indices(guide), guide).unsqueeze(2)

    def _reads_of_x(self) -> int | None:
        read = channels_read(self._modules.get("project"))
        if read is None and self.style != "holistic":  # a map for each channel
            return self._reads_of_guide()
        return read

    def _reads_of_guide(self) -> int | None:
        block = self._modules.get(self._branches()[0])
        return channels_read(block[0] if isinstance(block, nn.Sequential) else block)

    def upsample(self, x: Tensor, guide: Tensor, size: tuple[int, int]) -> Tensor:
        """See `Upsampler.upsample`."""
        # With a kernel of one tap no upsampled copy of x is made.
        return functional.reassemble(self.project(x), self.kernels(x, guide))

    def _inspect(self, x: Tensor, guide: Any, size: tuple[int, int] | None) -> Inspection:
        return Inspection(self.project(x), kernels=self.kernels(x, guide))

    def macs(self, height: int, width: int, size: tuple[int, int] | None = None) -> int:
        """Count the convolutions on each 2x2 block, and one product for each output element."""
        out_height, out_width = self.out_size(height, width, size)
        blocks = ((out_height + 1) // 2) * ((out_width + 1) // 2)
        weights = sum(
            module.weight.numel()
            for name in self._branches()
            for module in self.get_submodule(name).modules()
            if isinstance(module, nn.Conv2d)
        )
        products = self.out_channels * out_height * out_width
        return self.projection_macs(height, width) + weights * blocks + products

    def extra_repr(self) -> str:
        """Return channels, scale and variant, as `print(model)` shows them."""
        variant = f"style={self.style!r}, nonlinear={self.nonlinear}, context={self.context}"
        return f"{super().extra_repr()}, {variant}"

    def _branches(self) -> list[str]:
        if self.style == "holistic":
            return ["indexnet"]
        return [f"indexnet{number}" for number in (1, 2, 3, 4)]

    def _indices(self, guide: Tensor) -> Tensor:
        """Return the sigmoid of the logits: (B, 1 or C, 4, rows of blocks, columns of blocks)."""
        guide = pad_to_even(guide)
        logits = [self.get_submodule(name)(guide) for name in self._branches()]
        stacked = logits[0].unsqueeze(1) if len(logits) == 1 else torch.stack(logits, dim=2)
        return stacked.to(compute_dtype(guide)).sigmoid()

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        """Accept keys with the prefix `index.`, the block's name in a published model."""
        for key in [key for key in state_dict if key.startswith(f"{prefix}index.")]:
            state_dict[prefix + key.removeprefix(f"{prefix}index.")] = state_dict.pop(key)
        super()._load_from_state_dict(state_dict, prefix, *args)


def _block(
    channels: int, hidden: int, out: int, groups: int, nonlinear: bool, context: bool
) -> nn.Sequential:
    """Build the network for `out` logits per 2x2 block of the input, without biases."""
    kernel, padding = (4, 1) if context else (2, 0)
    first = nn.Conv2d(
        channels,
        hidden if nonlinear else out,
        kernel,
        stride=2,
        padding=padding,
        groups=groups,
        bias=False,
    )
    if not nonlinear:
        return nn.Sequential(first)
    last = nn.Conv2d(hidden, out, 1, groups=groups, bias=False)
    return nn.Sequential(first, nn.BatchNorm2d(hidden), nn.ReLU6(inplace=True), last)


def _shuffle(indices: Tensor, guide: Tensor) -> Tensor:
    """Arrange the 4 pixels of each block (B, P, 4, h, w) as (B, P, *size of the guide)."""
    size = (guide.shape[2], guide.shape[3])
    return cropped(pixel_shuffle(indices.flatten(1, 2), 2), size)
