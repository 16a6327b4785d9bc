"""Merge overlapping instances and a semantic map into one panoptic map.

Kirillov, He, Girshick, Rother, Dollar: Panoptic Segmentation, CVPR 2019.
"""

import torch
from torch import Tensor

from dysample.workbench.boundary import IGNORE

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
