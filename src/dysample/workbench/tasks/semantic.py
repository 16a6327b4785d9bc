"""Semantic segmentation."""

from collections.abc import Callable
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dysample.workbench.data.sample import Sample
from dysample.workbench.data.segmentation import (
    IGNORE,
    SegmentationSet,
    describe_segmentation,
    load_segmentation,
)
from dysample.workbench.metrics import BoundaryIoU, ClassIoU
from dysample.workbench.models.build import build_segmenter
from dysample.workbench.settings import SemanticSettings
from dysample.workbench.tasks.base import Measure, Task


class SemanticTask(Task):
    """Cross entropy; IoUs of classes and of their boundaries.

    The model maps images (B, 3, H, W) to scores (B, classes, H, W); a batch is images and labels
    (B, H, W).
    """

    kind = "semantic"
    measures: ClassVar = {
        "miou": Measure("mIoU", "mIoU"),
        "boundary_iou": Measure("boundary IoU", "bound. IoU"),
    }

    predicts_classes = True

    def __init__(
        self,
        model: nn.Module,
        about: dict[str, Any],
        settings: SemanticSettings,
        seed: int,
        run: str,
    ) -> None:
        super().__init__(model, about, settings, seed, run)
        classes = len(about["classes"])
        self.class_iou = ClassIoU(classes, IGNORE)
        self.boundary_iou = BoundaryIoU(classes, IGNORE)

    @staticmethod
    def describe(data: str, settings: SemanticSettings) -> dict[str, Any]:
        """As `describe_segmentation`."""
        return describe_segmentation(data, settings)

    @staticmethod
    def load(
        data: str,
        settings: SemanticSettings,
        progress: Callable[[int, int], None] | None = None,
    ) -> tuple[SegmentationSet, SegmentationSet]:
        """As `load_segmentation`."""
        train, val, _ = load_segmentation(data, settings, progress)
        return train, val

    @staticmethod
    def batch(samples: list[Sample]) -> tuple[Tensor, Tensor]:
        """Images (B, 3, H, W) in -1..1 and labels (B, H, W)."""
        images = torch.stack([image for image, _ in samples])
        labels = torch.stack([target["semantic"] for _, target in samples])
        return images.contiguous(memory_format=torch.channels_last) * 2 - 1, labels

    @staticmethod
    def build_model(
        upsampler: str,
        options: dict[str, Any],
        about: dict[str, Any],
        settings: SemanticSettings,
        seed: int,
    ) -> nn.Module:
        """Encoder and SegFormer head."""
        return build_segmenter(upsampler, options, len(about["classes"]), settings, seed)

    def losses(self, batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        """The mean cross entropy over labelled pixels; 0 if there are none."""
        images, labels = batch
        total = F.cross_entropy(self.model(images), labels, ignore_index=IGNORE, reduction="sum")
        return {"cross_entropy": total / (labels != IGNORE).sum().clamp(min=1)}

    def predict_classes(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        """The classes of the highest scores."""
        images, _ = batch
        classes: Tensor = self.model(images).argmax(dim=1)
        return classes

    def update(self, batch: tuple[Tensor, Tensor]) -> None:
        """Count the pixels of a batch."""
        _, labels = batch
        prediction = self.predict_classes(batch)
        self.class_iou.update(prediction, labels)
        self.boundary_iou.update(prediction, labels)

    def compute(self) -> dict[str, Any]:
        """Over all images."""
        class_iou = self.class_iou.compute()
        return {
            "miou": class_iou.nanmean(),
            "boundary_iou": self.boundary_iou.compute(),
            "class_iou": dict(zip(self.about["classes"], class_iou)),
        }
