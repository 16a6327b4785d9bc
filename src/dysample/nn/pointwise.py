"""Layers over the channels of each pixel, with the parameters of torch's channels-last layers."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dysample.layout import format_of

GROUPS = 32
"""Groups of `GroupNorm` in the published upsamplers, whatever the width."""


class PixelLinear(nn.Linear):
    """`Linear` over the channels of a map (B, C, H, W): a 1x1 convolution with 2-D weights."""

    def forward(self, input: Tensor) -> Tensor:
        """Map (B, in_features, H, W) to (B, out_features, H, W)."""
        return F.conv2d(input, self.weight[:, :, None, None], self.bias)


class PixelNorm(nn.LayerNorm):
    """`LayerNorm` over the channels of each pixel of a map (B, C, H, W)."""

    def forward(self, input: Tensor) -> Tensor:
        """Keeps the shape."""
        out = super().forward(input.movedim(1, -1)).movedim(-1, 1)
        if torch.compiler.is_compiling():
            # At dynamic sizes, inductor cannot keep a permuted view for the backward pass. In eager
            # mode the copy would only cost time.
            out = out.contiguous(memory_format=format_of(input))
        return out


class GroupNorm(nn.GroupNorm):
    """`GroupNorm` that also takes a single value a group, where torch's layer raises."""

    def forward(self, input: Tensor) -> Tensor:
        """Keeps the shape."""
        return torch.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)


def group_norm(name: str, channels: int, otherwise: str) -> GroupNorm:
    """Return a `GroupNorm` of 32 groups; `name` is the argument that holds the channels."""
    if channels % GROUPS != 0:
        raise ValueError(
            f"`{name}` (={channels}) must be a multiple of the {GROUPS} groups of norm='group';"
            f" {otherwise} takes any"
        )
    return GroupNorm(GROUPS, channels)
