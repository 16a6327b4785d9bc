"""A depth decoder that climbs with skip connections, its bilinear steps exchanged for upsamplers.

Alhashim, Wonka: High Quality Monocular Depth Estimation via Transfer Learning (DenseDepth), 2018;
the decoder of DepthFormer in Liu et al.: Learning to Upsample by Learning to Sample, ICCV 2023.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

UPSAMPLERS = 4
"""Steps from the coarsest map to the image."""


class DepthDecoder(nn.Module):
    """Four maps and the image to depth at the size of the stem's map.

    Each map is projected to `width` channels; the stem makes as many of the image alone. The
    coarsest map climbs to each finer one's size in turn; the finer map is the guide of guided
    upsamplers. After each step a convolution merges what arrives with the finer map.

    Args:
        channels: of the four maps, finest first.
        stem: images (B, 3, H, W) to the finest map of `width` channels.
        width: channels of the projected maps.
        upsamplers: four modules ``up(x, guide=None, *, size=None)`` for `width` channels, coarse
            to fine.
        skip: merge at every step, with 3x3 convolutions, as usual. Without, the two finest steps
            merge nothing, and all convolutions are 1x1: detail comes through the upsamplers alone.

    Raises:
        ValueError: another number of upsamplers.
    """

    def __init__(
        self,
        channels: Sequence[int],
        stem: nn.Module,
        width: int,
        upsamplers: Sequence[nn.Module],
        *,
        skip: bool,
    ) -> None:
        super().__init__()
        if len(upsamplers) != UPSAMPLERS:
            raise ValueError(f"`upsamplers` (={len(upsamplers)}) must be {UPSAMPLERS} modules")
        # In every model, also where only guided upsamplers read it.
        self.stem = stem
        self.project = nn.ModuleList(nn.Conv2d(c, width, 1) for c in channels)
        self.upsamplers = nn.ModuleList(upsamplers)
        self.merged = (True, True, skip, skip)
        self.merge = nn.ModuleList(
            _merge((1 + merged) * width, width, 3 if skip else 1) for merged in self.merged
        )
        self.predict = nn.Conv2d(width, 1, 1)
        # The prediction is log depth, and rooms are a few metres deep.
        assert self.predict.bias is not None
        nn.init.ones_(self.predict.bias)

    def forward(self, maps: Sequence[Tensor], images: Tensor) -> Tensor:
        """Maps (B, C, H', W'), finest first, and images (B, 3, H, W) to metres (B, H'', W'')."""
        projected = [layer(x) for layer, x in zip(self.project, maps)]
        x, *coarser = reversed(projected)
        finer_maps = [*coarser, self.stem(images)]
        for up, merge, merged, finer in zip(self.upsamplers, self.merge, self.merged, finer_maps):
            x = up(x, finer if up.guided else None, size=finer.shape[-2:])
            x = merge(torch.cat([x, finer], dim=1) if merged else x)
        depth: Tensor = self.predict(x)[:, 0].exp()
        return depth


class DepthEstimator(nn.Module):
    """Encoder and decoder; depth is resized bilinearly to the image."""

    def __init__(self, encoder: nn.Module, decoder: DepthDecoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) in -1..1 to depth (B, H, W) in metres."""
        depth = self.decoder(self.encoder(images), images)[:, None]
        size = images.shape[-2:]
        return F.interpolate(depth, size=size, mode="bilinear", align_corners=False)[:, 0]


def _merge(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )
