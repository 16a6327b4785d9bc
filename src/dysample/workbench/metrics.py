"""How well predicted class maps agree with the labels."""

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.classification import MulticlassJaccardIndex

from dysample.workbench.boundary import boundary_band


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
        ours = boundary_band(prediction, valid, self.distance)
        true = boundary_band(label, valid, self.distance)
        both = self._count(label[ours & true & (prediction == label)])
        labelled = self._count(label[true])
        self.intersection += both
        self.union += self._count(prediction[ours]) + labelled - both
        self.present += labelled

    def _count(self, classes: Tensor) -> Tensor:
        """How often each class occurs."""
        return torch.bincount(classes, minlength=self.count)

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
