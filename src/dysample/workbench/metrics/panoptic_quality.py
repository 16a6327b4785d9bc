"""Panoptic maps, merged from instances and a semantic map, and their quality as COCO computes it.

Kirillov, He, Girshick, Rother, Dollar: Panoptic Segmentation, CVPR 2019. Not torchmetrics': there
an object over which a prediction is mostly void does not count as missed, and void in a prediction
makes its neighbours' IoU larger.
"""

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from dysample.workbench.data.targets import PanopticTarget
from dysample.workbench.metrics.boundary import IGNORE

SCORE = 0.5
"""Instances below this score are left out."""

FREE = 0.5
"""Instances of which a smaller share is not yet covered by better ones are left out."""

SMALLEST_STUFF = 4096 / (640 * 480)
"""Stuff segments smaller than this share of the image are left out: COCO's 4096 pixels."""


def merge_panoptic(
    masks: Tensor, labels: Tensor, scores: Tensor, semantic: Tensor, stuff: int
) -> Tensor:
    """Give every pixel to at most one segment.

    Instances come first, by descending score; stuff takes the rest. A pixel that the semantic map
    holds for a thing, but no instance covers, stays void.

    Args:
        masks: (N, H, W) bool.
        labels: (N,) int64, 1 for the first thing.
        scores: (N,).
        semantic: (H, W) int64, positions among the `stuff` classes, or `stuff` for any thing.
        stuff: number of stuff classes; category `stuff + k - 1` is the thing of label k.

    Returns:
        (H, W, 2) int64: category, from 0, or `IGNORE` for void; and instance, from 1, 0 for stuff
        and void.
    """
    category = torch.full_like(semantic, IGNORE)
    instance = torch.zeros_like(category)
    number = 0
    for k in scores.argsort(descending=True, stable=True).tolist():
        if scores[k] < SCORE:
            break
        free = masks[k] & (category == IGNORE)
        if free.sum() == 0 or free.sum() < FREE * masks[k].sum():
            continue
        number += 1
        category[free] = stuff + labels[k] - 1
        instance[free] = number
    for k in range(stuff):
        free = (semantic == k) & (category == IGNORE)
        if free.sum() >= SMALLEST_STUFF * free.numel():
            category[free] = k
    return torch.stack([category, instance], dim=-1)


MATCH = 0.5
"""Segments of one class match above this IoU; none can then match twice."""

FORGIVEN = 0.5
"""A segment is not counted as wrong if more than this share of it lies where nothing is labelled,
or on a crowd of its class."""


class PanopticQuality(Metric):
    """PQ, SQ and RQ of each class.

    Args:
        classes: how many.
    """

    iou: list[Tensor]
    matched: Tensor
    wrong: Tensor
    missed: Tensor

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes
        # A row an image, not sums: the order of addition would depend on the world size.
        self.add_state("iou", [], dist_reduce_fx="cat")
        for name in ("matched", "wrong", "missed"):
            self.add_state(name, torch.zeros(classes, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, prediction: Tensor, target: PanopticTarget) -> None:
        """Match the segments of one image.

        Args:
            prediction: (H, W, 2) int64, category, or `IGNORE` for void, and instance of each pixel,
                as `merge_panoptic` gives it.
            target: the truth.
        """
        found, place = torch.unique(prediction.flatten(0, 1), dim=0, return_inverse=True)
        truth = torch.cat([target["categories"], found.new_tensor([IGNORE])])
        # Pixels without a segment have number -1, which the modulus maps to the last column.
        column = target["segments"].as_subclass(Tensor).flatten() % len(truth)
        pixels = (place * len(truth) + column).bincount(minlength=len(found) * len(truth))
        pixels = pixels.view(len(found), len(truth)).double()
        kept = found[:, 0] != IGNORE
        category, pixels_found = found[kept, 0], pixels[kept].sum(1)
        shared, unlabelled = pixels[kept, :-1], pixels[kept, -1]
        size, truth = pixels[:, :-1].sum(0), truth[:-1]

        union = (pixels_found - unlabelled)[:, None] + size - shared
        same, crowd = category[:, None] == truth, target["iscrowd"].bool()
        iou = (shared / union).where(same & ~crowd, 0)
        match = iou > MATCH
        forgiven = unlabelled + shared.where(same & crowd, 0).sum(1)
        wrong = ~match.any(1) & (forgiven <= FORGIVEN * pixels_found)
        missed = ~match.any(0) & ~crowd & (size > 0)
        by_class = iou.new_zeros(self.classes).index_add_(0, truth, iou.where(match, 0).sum(0))
        self.iou.append(by_class[None])
        for total, one in (
            (self.matched, truth[match.any(0)]),
            (self.wrong, category[wrong]),
            (self.missed, truth[missed]),
        ):
            total += one.bincount(minlength=self.classes)

    def compute(self) -> Tensor:
        """(classes, 3) float64: PQ, SQ and RQ; NaN for classes in neither truth nor prediction."""
        matched = self.matched.double()
        quality = dim_zero_cat(self.iou).sum(0) / matched.clamp(min=1)
        # 0 / 0, of a class that does not occur, is NaN.
        recognition = matched / (matched + 0.5 * self.wrong + 0.5 * self.missed)
        numbers = torch.stack([quality * recognition, quality, recognition], 1)
        return numbers.where(recognition.isfinite()[:, None], torch.nan)
