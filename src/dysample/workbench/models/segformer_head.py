"""The decode head of SegFormer with its bilinear steps exchanged for upsamplers.

Xie et al.: SegFormer, NeurIPS 2021; wired for 2x upsamplers as in Lu et al.: FADE, ECCV 2022, and
Liu et al.: Learning to Upsample by Learning to Sample (DySample), ICCV 2023.
"""

from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

UPSAMPLERS = 6
"""How many upsamplers the head takes: three for the coarsest stage, then two, then one."""


class SegFormerHead(nn.Module):
    """Four maps to class scores at the finest map's size.

    Each map is projected to `width` channels; every coarser map then climbs, one upsampler a step,
    to the finest size. At each step the projected map of the size aimed at is the guide of guided
    upsamplers, and its size is the target. The maps are concatenated and fused by 1x1
    convolutions: nothing after the upsamplers sees a neighbour, so nothing repairs their edges.

    Args:
        channels: of the four maps, finest first.
        width: channels of the projected maps.
        classes: number of classes.
        upsamplers: six modules ``up(x, guide=None, *, size=None)`` for `width` channels: three
            for the coarsest map from coarse to fine, two for the next, one for the last.
        skip: also concatenate the finest map, as SegFormer does. Without, it only guides.

    Raises:
        ValueError: another number of upsamplers.
    """

    def __init__(
        self,
        channels: Sequence[int],
        width: int,
        classes: int,
        upsamplers: Sequence[nn.Module],
        *,
        skip: bool,
    ) -> None:
        super().__init__()
        if len(upsamplers) != UPSAMPLERS:
            raise ValueError(f"`upsamplers` (={len(upsamplers)}) must be {UPSAMPLERS} modules")
        self.skip = skip
        # The finest projection stays even where nothing reads it: parameters and their initial
        # values are then the same for every upsampler.
        self.project = nn.ModuleList(nn.Conv2d(c, width, 1) for c in channels)
        self.branches = nn.ModuleList(
            nn.ModuleList(part) for part in (upsamplers[:3], upsamplers[3:5], upsamplers[5:])
        )
        self.fuse = nn.Sequential(
            nn.Conv2d((3 + skip) * width, width, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
        )
        self.classify = nn.Conv2d(width, classes, 1)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Four (B, C, H, W) maps, finest first, to (B, classes, H, W) of the finest."""
        projected = [layer(x) for layer, x in zip(self.project, maps)]
        climbed = [projected[0]] if self.skip else []
        for branch, level in zip(self.branches, (3, 2, 1)):
            x = projected[level]
            for step, up in enumerate(cast(nn.ModuleList, branch), start=1):
                finer = projected[level - step]
                x = up(x, finer if up.guided else None, size=finer.shape[-2:])
            climbed.append(x)
        scores: Tensor = self.classify(self.fuse(torch.cat(climbed, dim=1)))
        return scores


class Segmenter(nn.Module):
    """Encoder and head; scores are resized bilinearly to the image."""

    def __init__(self, encoder: nn.Module, head: SegFormerHead) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) in -1..1 to scores (B, classes, H, W)."""
        scores = self.head(self.encoder(images))
        return F.interpolate(scores, size=images.shape[-2:], mode="bilinear", align_corners=False)
