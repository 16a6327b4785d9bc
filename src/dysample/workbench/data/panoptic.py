"""Convert a panoptic target into the forms that training and metrics need.

The input is the target after its transforms, so boxes and areas are those of the remaining pixels.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torchvision.ops import masks_to_boxes
from torchvision.tv_tensors import BoundingBoxes, Mask

from dysample.workbench.boundary import IGNORE
from dysample.workbench.data.targets import InstanceTarget, PanopticTarget


def semantic_labels(target: PanopticTarget) -> Tensor:
    """Return the class of each pixel, (H, W) int64; `IGNORE` where there is no segment."""
    # The number of no segment, -1, looks up the last entry.
    table = torch.cat([target["categories"], target["categories"].new_tensor([IGNORE])])
    return table[target["segments"]]


def instances(target: PanopticTarget, things: Sequence[int]) -> InstanceTarget:
    """Return the things, crowds included, as objects.

    Args:
        target: of one image.
        things: class indices; label 1 stands for the first.
    """
    segments = target["segments"]
    masks = segments == torch.arange(len(target["categories"]))[:, None, None]
    kept = target["isthing"] & masks.any((1, 2))
    masks, categories = masks[kept], target["categories"][kept]
    boxes = torch.zeros(len(masks), 4)
    if len(masks):
        # torchvision gives the last pixel's number; its far edge is one further.
        boxes = masks_to_boxes(masks) + torch.tensor([0.0, 0.0, 1.0, 1.0])
    label = {category: place for place, category in enumerate(things, 1)}
    size = (segments.shape[0], segments.shape[1])
    return InstanceTarget(
        boxes=BoundingBoxes(boxes, format="XYXY", canvas_size=size),
        labels=torch.tensor([label[int(i)] for i in categories], dtype=torch.int64),
        masks=Mask(masks.to(torch.uint8)),
        iscrowd=target["iscrowd"][kept],
        area=masks.sum((1, 2)).float(),
        image_id=target["image_id"],
    )
