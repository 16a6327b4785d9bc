"""How well predicted class maps agree with the labels."""

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.classification import MulticlassJaccardIndex


def boundary_band(classes: Tensor, count: int, valid: Tensor, distance: int = 1) -> Tensor:
    """Where each class is near another one.

    A pixel is in its class's band if a pixel of another class lies in the square of
    ``2 * distance + 1`` pixels around it. Pixels that are not valid, and those outside the image,
    belong to no class: neither in a band nor the cause of one.

    Args:
        classes: (B, H, W) int64 from 0 to count - 1; any value where not valid.
        count: number of classes.
        valid: (B, H, W) bool.
        distance: width of the band in pixels.

    Returns:
        (B, count, H, W) bool.
    """
    inside = F.one_hot(classes.where(valid, 0), count).permute(0, 3, 1, 2).bool() & valid[:, None]
    outside = ~inside & valid[:, None]
    # The largest value of a window marks the pixels with an outsider in it; max_pool2d pads with
    # minus infinity, so the image's edge counts for nothing.
    near = F.max_pool2d(outside.float(), 2 * distance + 1, stride=1, padding=distance) > 0
    return inside & near


class BoundaryIoU(Metric):
    """Mean boundary IoU over the classes that occur in the labels.

    For each class, pixels in the band inside its own boundary, in the prediction and in the label:
    intersection over union, with both summed over all images (`boundary_band`). Classes in whose
    bands the labels have no pixel are left out of the mean.

    Cheng, Girshick, Dollar, Berg, Kirillov: Boundary IoU, CVPR 2021, whose band for a mask G is
    ``G_d & G``. Known deviations: there the image's edge counts as a boundary; here an object cut
    by the frame has none there, as an upsampler has no part in it. There d is 2 % of the
    diagonal; here 1 pixel, the scale at which upsamplers differ.

    Args:
        count: number of classes.
        ignore: label of pixels that do not count.
        distance: width of the band in pixels.
    """

    intersection: Tensor
    union: Tensor
    present: Tensor

    def __init__(self, count: int, ignore: int, distance: int = 1) -> None:
        super().__init__()
        self.count = count
        self.ignore = ignore
        self.distance = distance
        for name in ("intersection", "union", "present"):
            zero = torch.zeros(count, dtype=torch.int64)
            self.add_state(name, zero, dist_reduce_fx="sum")

    def update(self, prediction: Tensor, label: Tensor) -> None:
        """Add images: both (B, H, W) int64."""
        valid = label != self.ignore
        predicted = boundary_band(prediction, self.count, valid, self.distance)
        labelled = boundary_band(label, self.count, valid, self.distance)
        images = (0, 2, 3)
        self.intersection += (predicted & labelled).sum(images)
        self.union += (predicted | labelled).sum(images)
        self.present += labelled.sum(images)

    def compute(self) -> Tensor:
        """The mean, or NaN where the labels hold no boundary at all."""
        present = self.present > 0
        return (self.intersection[present].double() / self.union[present]).mean()


class ClassIoU(MulticlassJaccardIndex):
    """Intersection over union of each class over all images; NaN for classes not in the labels.

    Whether a class counts depends on the labels alone, so that every model is averaged over the
    same classes; torchmetrics also counts, as 0, a class that is only predicted.

    Args:
        count: number of classes.
        ignore: label of pixels that do not count.
    """

    def __init__(self, count: int, ignore: int) -> None:
        super().__init__(count, average="none", ignore_index=ignore)

    def compute(self) -> Tensor:
        """(count,) float; its nanmean is the mIoU."""
        present = self.confmat.sum(dim=1) > 0  # rows are labels
        return super().compute().where(present, torch.nan)
