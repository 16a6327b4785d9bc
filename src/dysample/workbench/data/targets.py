"""The targets of samples, one form for each kind of data.

A sample is a pair (image, target), as torchvision's transforms take it: image (3, H, W) uint8 RGB.

=========  ====================================================================================
kind       target
=========  ====================================================================================
semantic   (H, W) int64: index into the class names, or `IGNORE`
detection  `DetectionTarget`
instance   `InstanceTarget`: the same with masks
panoptic   `PanopticTarget`
depth      (H, W) float32: z-depth in metres, 0 where it is unknown
=========  ====================================================================================
"""

from typing import Literal, TypedDict

import torch
from torch import Tensor
from torchvision.ops import masks_to_boxes
from torchvision.tv_tensors import BoundingBoxes, Mask

Kind = Literal["semantic", "detection", "instance", "panoptic", "depth"]

VOID = -1
"""The segment number of pixels that belong to no segment."""


class DetectionTarget(TypedDict):
    """The objects of an image, in the form of torchvision's reference training.

    Attributes:
        boxes: (N, 4) float32 x1, y1, x2, y2 in pixels; the left and top edge of pixel 0 are 0, so
            that a box around one pixel is one pixel wide.
        labels: (N,) int64, from 1 (0 is torchvision's background): object i is of class
            `names[labels[i] - 1]`.
        iscrowd: (N,) int64, 1 where a mask covers a group: evaluated leniently, not trained on.
        area: (N,) float32, pixels of the mask, by which AP tells small objects from large ones.
        image_id: the data set's number of the image.
    """

    boxes: BoundingBoxes
    labels: Tensor
    iscrowd: Tensor
    area: Tensor
    image_id: int


class InstanceTarget(DetectionTarget):
    """Objects with masks.

    Attributes:
        masks: (N, H, W) uint8, 1 on the object.
    """

    masks: Mask


def objects_of(masks: Tensor, labels: Tensor, iscrowd: Tensor, image_id: int) -> InstanceTarget:
    """The target of objects whose masks (N, H, W) bool have a pixel each."""
    boxes = torch.zeros(len(masks), 4)
    if len(masks):
        # torchvision returns the index of the last pixel; the pixel's far edge is at index + 1.
        boxes = masks_to_boxes(masks) + torch.tensor([0.0, 0.0, 1.0, 1.0])
    size = (masks.shape[-2], masks.shape[-1])
    return InstanceTarget(
        boxes=BoundingBoxes(boxes, format="XYXY", canvas_size=size),
        labels=labels,
        masks=Mask(masks.to(torch.uint8)),
        iscrowd=iscrowd,
        area=masks.sum((1, 2)).float(),
        image_id=image_id,
    )


class PanopticTarget(TypedDict):
    """A partition of the image into S segments.

    Attributes:
        segments: (H, W) int64: the segment of a pixel, 0 to S - 1, or `VOID`.
        categories: (S,) int64, index of the segment's class into the class names.
        isthing: (S,) bool: an object that can be counted; otherwise stuff.
        iscrowd: (S,) int64, 1 where a segment covers a group of things.
        image_id: the data set's number of the image.
    """

    segments: Mask
    categories: Tensor
    isthing: Tensor
    iscrowd: Tensor
    image_id: int
