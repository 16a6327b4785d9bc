"""Object detection."""

from typing import Any, ClassVar, cast

from torch import Tensor, nn

from dysample.workbench.average_precision import AveragePrecision
from dysample.workbench.record import Measure
from dysample.workbench.settings import PyramidSettings
from dysample.workbench.tasks.objects import ObjectBatch, ObjectTask


class DetectionTask(ObjectTask):
    """The losses of Faster R-CNN; average precision of the boxes."""

    kind = "detection"
    measures: ClassVar = {
        "ap": Measure("AP", "AP"),
        "ap50": Measure("AP50", "AP50"),
        "ap75": Measure("AP75", "AP75"),
        "ap_small": Measure("AP small", "AP small"),
        "ap_medium": Measure("AP medium", "AP medium"),
        "ap_large": Measure("AP large", "AP large"),
    }

    def __init__(
        self,
        model: nn.Module,
        about: dict[str, Any],
        settings: PyramidSettings,
        seed: int,
        run: str,
    ) -> None:
        super().__init__(model, about, settings, seed, run)
        self.precision = AveragePrecision("bbox", (about["height"], about["width"]))

    def losses(self, batch: ObjectBatch) -> dict[str, Tensor]:
        """Return the losses of the proposals and of the boxes, two each."""
        return cast(dict[str, Tensor], self.model(*batch))

    def update(self, batch: ObjectBatch) -> None:
        """Collect boxes."""
        images, targets = batch
        self.precision.update(self.model(images), targets)

    def compute(self) -> dict[str, Any]:
        """Return the metrics over all images, and by class."""
        return self.precision.compute_plain("ap", dict(enumerate(self.about["things"], start=1)))
