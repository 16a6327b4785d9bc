"""COCO's average precision for images of any size."""

from functools import partial
from typing import Any, Literal

import torch.distributed as dist
from faster_coco_eval import COCOeval_faster
from torch import Tensor
from torchmetrics.detection import MeanAveragePrecision
from torchmetrics.detection.helpers import CocoBackend

COCO_DIAGONAL = 800.0
"""Diagonal of a COCO image, 640 x 480, in pixels."""

PARTS = {"": "map", "50": "map_50", "75": "map_75", "_small": "map_small", "_medium": "map_medium",
         "_large": "map_large"}  # fmt: skip
"""Ends of our names, and torchmetrics' names for them."""


class AveragePrecision(MeanAveragePrecision):
    """AP of boxes or masks, over IoU thresholds, at 50 and 75 %, by size, and by class.

    Lin et al.: Microsoft COCO, ECCV 2014, as computed by faster-coco-eval. Known deviation: the
    limits between small, medium and large, 32 and 96 pixels squared, are for images of COCO's
    size; here they shrink and grow with the diagonal of the image.

    Args:
        iou_type: what is matched.
        size: (height, width) of the images.
    """

    def __init__(self, iou_type: Literal["bbox", "segm"], size: tuple[int, int]) -> None:
        super().__init__(iou_type=iou_type, backend="faster_coco_eval", class_metrics=True)
        self._coco_backend = _ScaledBackend(size)

    def _sync_dist(self, dist_sync_fn: Any = None, process_group: Any = None) -> None:
        """Gather the images of all ranks; torchmetrics would hang on unequal counts."""
        for name in self._reductions:
            parts: list[Any] = [None] * dist.get_world_size(process_group)
            dist.all_gather_object(parts, getattr(self, name), group=process_group)
            setattr(self, name, [image for part in parts for image in part])

    def compute_plain(self, prefix: str, names: dict[int, str]) -> dict[str, Any]:
        """Return numbers by name, and `class_{prefix}` by class; NaN where there is no object.

        Args:
            prefix: before each name, such as ``"box_ap"``.
            names: of the labels.
        """
        found = self.compute()
        numbers: dict[str, Any] = {
            prefix + end: _absent_is_nan(found[key]) for end, key in PARTS.items()
        }
        # Without any object, in truth or prediction, there are no values by class.
        each = found.get("map_per_class", found["classes"].new_empty(0))
        by_class = dict(zip(found["classes"].view(-1).tolist(), each.view(-1)))
        numbers[f"class_{prefix}"] = {
            name: _absent_is_nan(by_class[label]) if label in by_class else float("nan")
            for label, name in names.items()
        }
        return numbers


class _ScaledBackend(CocoBackend):
    """A backend whose evaluation has scaled size limits."""

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__("faster_coco_eval")
        scale = (size[0] ** 2 + size[1] ** 2) ** 0.5 / COCO_DIAGONAL
        small, medium, end = (32 * scale) ** 2, (96 * scale) ** 2, 1e5**2
        self.ranges = {"small": [0, small], "medium": [small, medium], "large": [medium, end]}

    @property
    def cocoeval(self) -> Any:
        """Return the evaluation class with the scaled limits."""
        return partial(COCOeval_faster, ranges=self.ranges)


def _absent_is_nan(value: Tensor) -> float:
    """Replace COCO's -1, which means no objects, by NaN."""
    number = float(value)
    return float("nan") if number < 0 else number
