"""Convert a panoptic target into the forms that training and metrics need.

The input is the target after its transforms, so boxes and areas are those of the remaining pixels.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from dysample.workbench.data.targets import InstanceTarget, PanopticTarget, objects_of
from dysample.workbench.metrics.boundary import IGNORE


def semantic_labels(target: PanopticTarget) -> Tensor:
    """Return the class of each pixel, (H, W) int64; `IGNORE` where there is no segment."""
    # Pixels without a segment have number -1, which indexes the last entry.
    table = torch.cat([target["categories"], target["categories"].new_tensor([IGNORE])])
    return table[target["segments"]]


def instances(target: PanopticTarget, things: Sequence[int]) -> InstanceTarget:
    """Return the things, crowds included, as objects.

    Args:
        target: of one image.
        things: class indices; label 1 stands for the first.
    """
    masks = target["segments"] == torch.arange(len(target["categories"]))[:, None, None]
    kept = target["isthing"] & masks.any((1, 2))
    label = {category: place for place, category in enumerate(things, 1)}
    labels = torch.tensor([label[int(i)] for i in target["categories"][kept]], dtype=torch.int64)
    return objects_of(masks[kept], labels, target["iscrowd"][kept], target["image_id"])
