"""How well predicted class maps and depths agree with the labels."""

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.classification import MulticlassJaccardIndex
from torchmetrics.utilities import dim_zero_cat

from dysample.workbench.metrics.boundary import boundary_band

NEAREST = 1e-3
"""Metres; predictions are taken to be at least this far away, as they are divided by and logged."""


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


class DepthErrors(Metric):
    """The eight usual numbers of an image, averaged over images.

    `delta1`, `delta2`, `delta3`: share of pixels whose ratio to the truth, whichever way is
    above 1, stays below 1.25, its square, its cube. `abs_rel`, `sq_rel`: mean of |d - t| / t and
    (d - t)^2 / t. `rmse`, `rmse_log`: root mean square of d - t, in metres, and of their natural
    logarithms. `log10`: mean of |log10 d - log10 t|. Pixels of unknown depth, 0, are left out,
    and so are images without any other.

    Eigen, Puhrsch, Fergus: Depth map prediction from a single image, NeurIPS 2014.
    """

    NAMES = ("delta1", "delta2", "delta3", "abs_rel", "sq_rel", "rmse", "rmse_log", "log10")

    errors: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        # Not sums: the order of addition would depend on the world size.
        self.add_state("errors", [], dist_reduce_fx="cat")

    def update(self, prediction: Tensor, truth: Tensor) -> None:
        """Add images: both (B, H, W), metres; a truth of 0 is unknown."""
        rows = [truth.new_zeros(0, len(self.NAMES), dtype=torch.float64)]
        for one, other in zip(prediction, truth):
            known = other > 0
            if known.any():
                found = _errors(one[known].double().clamp(min=NEAREST), other[known].double())
                rows.append(found[None])
        self.errors.append(torch.cat(rows))

    def compute(self) -> dict[str, Any]:
        """Return the metrics by name; NaN without any image."""
        return dict(zip(self.NAMES, dim_zero_cat(self.errors).mean(dim=0)))


def _errors(d: Tensor, t: Tensor) -> Tensor:
    """Return the eight metrics for depths (N,)."""
    ratio = torch.maximum(d / t, t / d)
    difference, logs = d - t, d.log() - t.log()
    return torch.stack(
        [
            *((ratio < 1.25**power).double().mean() for power in (1, 2, 3)),
            (difference.abs() / t).mean(),
            (difference**2 / t).mean(),
            (difference**2).mean().sqrt(),
            (logs**2).mean().sqrt(),
            (d.log10() - t.log10()).abs().mean(),
        ]
    )
