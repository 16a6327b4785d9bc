"""Panoptic FPN: a Mask R-CNN with a semantic branch on its feature pyramid.

Kirillov, Girshick, He, Dollar: Panoptic Feature Pyramid Networks, CVPR 2019.
"""

from collections.abc import Sequence
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.transform import GeneralizedRCNNTransform

from dysample.workbench.metrics.boundary import IGNORE


class SemanticBranch(nn.Module):
    """The maps of a pyramid to scores at the finest one's size.

    Each coarser map is convolved (3x3, group normalisation, ReLU) and doubled as often as it takes
    to reach the finest one's size; the sum is classified by a 1x1 convolution. The doublings are
    bilinear whatever the pyramid's upsamplers are: the paper exchanges those of the pyramid alone.

    Args:
        channels: of the pyramid.
        classes: number of classes.
        levels: how many of the maps are read, the finest ones.
        width: channels of the branch, a multiple of 8.
    """

    def __init__(self, channels: int, classes: int, levels: int, width: int) -> None:
        super().__init__()
        self.climb = nn.ModuleList(
            nn.ModuleList(
                _step(width if step else channels, width) for step in range(max(1, level))
            )
            for level in range(levels)
        )
        self.classify = nn.Conv2d(width, classes, 1)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Maps (B, channels, H_i, W_i), finest first, to scores (B, classes, H_0, W_0)."""
        climbed = []
        for level, steps in enumerate(self.climb):
            x = maps[level]
            for finer, step in zip(range(level - 1, -2, -1), cast(nn.ModuleList, steps)):
                x = _resize(step(x), maps[max(finer, 0)].shape[-2:])
            climbed.append(x)
        scores: Tensor = self.classify(torch.stack(climbed).sum(dim=0))
        return scores


class PanopticFPN(MaskRCNN):
    """A Mask R-CNN that also scores, for each pixel, the stuff classes and "a thing".

    In training, targets also hold `semantic` (H, W) int64: positions among the stuff classes,
    after them one for all things, or `IGNORE`; the losses then include ``loss_semantic``.
    Otherwise each image's detections also hold `semantic`, scores (stuff + 1, H, W).

    Args:
        backbone: images to maps by level, with `out_channels`.
        branch: those maps to scores.
        options: of `MaskRCNN`.
    """

    def __init__(self, backbone: nn.Module, branch: SemanticBranch, **options: Any) -> None:
        super().__init__(backbone, **options)
        self.branch = branch

    def forward(self, images: list[Tensor], targets: list[dict[str, Tensor]] | None = None) -> Any:
        """Images (3, H, W) in 0..1 to losses by name, or to detections, an image each."""
        sizes = [(image.shape[-2], image.shape[-1]) for image in images]
        batch, resized = self.transform(images, targets)
        maps = self.backbone(batch.tensors)
        scores = _resize(self.branch(list(maps.values())), batch.tensors.shape[-2:])
        scores_by_image = [
            _resize(score[None, :, :height, :width], size)[0]
            for score, (height, width), size in zip(scores, batch.image_sizes, sizes)
        ]
        proposals, losses = self.rpn(batch, maps, resized)
        found, head_losses = self.roi_heads(maps, proposals, batch.image_sizes, resized)
        if self.training:
            assert targets is not None
            semantic = _semantic_loss(scores_by_image, [t["semantic"] for t in targets])
            return {**losses, **head_losses, "loss_semantic": semantic}
        transform = cast(GeneralizedRCNNTransform, self.transform)
        found = transform.postprocess(found, batch.image_sizes, sizes)
        return [{**one, "semantic": score} for one, score in zip(found, scores_by_image)]


def _semantic_loss(scores: list[Tensor], labels: list[Tensor]) -> Tensor:
    """The mean cross entropy over labelled pixels; 0 if there are none."""
    flat = torch.cat([score.flatten(1).T for score in scores])
    known = torch.cat([label.flatten() for label in labels])
    total = F.cross_entropy(flat, known, ignore_index=IGNORE, reduction="sum")
    return total / (known != IGNORE).sum().clamp(min=1)


def _step(channels: int, width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, padding=1, bias=False),
        nn.GroupNorm(8, width),
        nn.ReLU(inplace=True),
    )


def _resize(x: Tensor, size: Any) -> Tensor:
    return F.interpolate(x, size=size, mode="bilinear", align_corners=False)
