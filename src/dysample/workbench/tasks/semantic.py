"""Semantic segmentation."""

from typing import Any

import torch.nn.functional as F
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR

from dysample.workbench.data.segmentation import IGNORE
from dysample.workbench.metrics import BoundaryIoU, ClassIoU
from dysample.workbench.settings import SemanticSettings


class SemanticTask(LightningModule):
    """Trains a model with cross entropy and AdamW on a one-cycle schedule; measures IoUs.

    Args:
        model: images (B, 3, H, W) to scores (B, classes, H, W).
        classes: number of classes.
        settings: of the run.
        run: identity of the run, kept in its checkpoints.
    """

    def __init__(
        self, model: nn.Module, classes: int, settings: SemanticSettings, run: str
    ) -> None:
        super().__init__()
        self.model = model
        self.settings = settings
        self.run = run
        self.class_iou = ClassIoU(classes, IGNORE)
        self.boundary_iou = BoundaryIoU(classes, IGNORE)

    def forward(self, images: Tensor) -> Tensor:
        """Scores (B, classes, H, W)."""
        scores: Tensor = self.model(images)
        return scores

    def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
        """The mean cross entropy over labelled pixels; 0 if there are none."""
        images, labels = batch
        total = F.cross_entropy(self(images), labels, ignore_index=IGNORE, reduction="sum")
        loss = total / (labels != IGNORE).sum().clamp(min=1)
        if not loss.isfinite():
            raise ValueError(
                f"training diverged at step {self.global_step}: the loss is {loss.item()}; "
                f"`learning_rate` (={self.settings.learning_rate}) must be lower"
            )
        self.log("loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], index: int) -> None:
        """Collects what the metrics need."""
        images, labels = batch
        prediction = self(images).argmax(dim=1)
        self.class_iou.update(prediction, labels)
        self.boundary_iou.update(prediction, labels)

    def on_validation_epoch_end(self) -> None:
        """Logs the metrics."""
        self.log("miou", self.class_iou.compute().nanmean())
        self.log("boundary_iou", self.boundary_iou.compute())

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Names the run, so that no other goes on from it."""
        checkpoint["run"] = self.run

    def configure_optimizers(self) -> Any:
        """One group: every parameter has the same rate and decay, in the upsamplers and around."""
        settings = self.settings
        optimizer = AdamW(
            self.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        schedule = OneCycleLR(optimizer, settings.learning_rate, total_steps=settings.steps)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }
