"""Depth estimation."""

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from dysample.workbench.data.sample import Sample
from dysample.workbench.metrics.maps import DepthErrors
from dysample.workbench.models.build import build_depth_estimator
from dysample.workbench.models.papers import build_paper_depth_estimator
from dysample.workbench.record import Measure
from dysample.workbench.settings import SMALL, DepthSettings
from dysample.workbench.tasks.base import Task


class DepthTask(Task):
    """The L1 distance of log depths; the usual accuracies and errors.

    The model maps images (B, 3, H, W) in -1..1 to metres (B, H, W); a batch is images and depths,
    0 where unknown.
    """

    kind = "depth"
    measures: ClassVar = {
        "abs_rel": Measure("AbsRel", "AbsRel", higher_is_better=False),
        "delta1": Measure("delta1", "delta1"),
        "delta2": Measure("delta2", "delta2"),
        "delta3": Measure("delta3", "delta3"),
        "sq_rel": Measure("SqRel", "SqRel", higher_is_better=False),
        "rmse": Measure("RMSE", "RMSE", higher_is_better=False),
        "rmse_log": Measure("RMSlog", "RMSlog", higher_is_better=False),
        "log10": Measure("log10", "log10", higher_is_better=False),
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.errors = DepthErrors()

    @staticmethod
    def batch(samples: list[Sample]) -> tuple[Tensor, Tensor]:
        """Return images (B, 3, H, W) in -1..1 and depths (B, H, W)."""
        images = torch.stack([image for image, _ in samples])
        depths = torch.stack([target["depth"] for _, target in samples])
        return images.contiguous(memory_format=torch.channels_last) * 2 - 1, depths

    @staticmethod
    def build_model(
        upsampler: str,
        options: dict[str, Any],
        about: dict[str, Any],
        settings: DepthSettings,
        seed: int,
    ) -> nn.Module:
        """Build a small encoder with a decoder, or a model of the papers."""
        build = build_depth_estimator if settings.model == SMALL else build_paper_depth_estimator
        return build(upsampler, options, settings, seed)

    def losses(self, batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        """Return the mean over pixels of known depth; 0 if there are none."""
        images, depths = batch
        known = depths > 0
        error = (self.model(images).log() - depths.where(known, 1).log()).abs()
        return {"log_l1": (error * known).sum() / known.sum().clamp(min=1)}

    def update(self, batch: tuple[Tensor, Tensor]) -> None:
        """Add the errors of a batch."""
        images, depths = batch
        self.errors.update(self.model(images), depths)

    def compute(self) -> dict[str, Any]:
        """Return the metrics over all images."""
        return self.errors.compute()
