"""Semantic segmentation."""

from typing import Any, ClassVar, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dysample.workbench.data.sample import Sample
from dysample.workbench.metrics.boundary import IGNORE
from dysample.workbench.metrics.maps import BoundaryIoU, ClassIoU
from dysample.workbench.models.build import build_segmenter
from dysample.workbench.models.papers import build_paper_segmenter
from dysample.workbench.record import Measure
from dysample.workbench.settings import SMALL, SemanticSettings
from dysample.workbench.tasks.base import Task


@runtime_checkable
class HasLosses(Protocol):
    """A model with its own losses instead of cross entropy."""

    def losses(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Return the loss terms by name."""


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

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        classes = len(self.about["classes"])
        self.class_iou = ClassIoU(classes, IGNORE)
        self.boundary_iou = BoundaryIoU(classes, IGNORE)

    @staticmethod
    def batch(samples: list[Sample]) -> tuple[Tensor, Tensor]:
        """Return images (B, 3, H, W) in -1..1 and labels (B, H, W)."""
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
        """Build a small encoder with the head of SegFormer, or a model of the papers."""
        build = build_segmenter if settings.model == SMALL else build_paper_segmenter
        return build(upsampler, options, len(about["classes"]), settings, seed)

    def losses(self, batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        """Return the mean cross entropy over labelled pixels, 0 without any; or the model's own."""
        images, labels = batch
        if isinstance(self.model, HasLosses):
            return self.model.losses(images, labels)
        total = F.cross_entropy(self.model(images), labels, ignore_index=IGNORE, reduction="sum")
        return {"cross_entropy": total / (labels != IGNORE).sum().clamp(min=1)}

    def predict_classes(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        """Predict the classes with the highest scores."""
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
        """Return the metrics over all images."""
        class_iou = self.class_iou.compute()
        return {
            "miou": class_iou.nanmean(),
            "boundary_iou": self.boundary_iou.compute(),
            "class_iou": dict(zip(self.about["classes"], class_iou)),
        }
