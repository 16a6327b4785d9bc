"""Instance segmentation."""

from typing import Any, ClassVar, cast

from torch import Tensor, nn

from dysample.workbench.average_precision import AveragePrecision
from dysample.workbench.record import Measure
from dysample.workbench.settings import PyramidSettings
from dysample.workbench.tasks.objects import ObjectBatch, ObjectTask


class InstanceTask(ObjectTask):
    """The losses of Mask R-CNN; average precision of masks and of boxes."""

    kind = "instance"
    measures: ClassVar = {
        "mask_ap": Measure("mask AP", "mask AP"),
        "box_ap": Measure("box AP", "box AP"),
        **{
            f"{kind}_ap{key}": Measure(f"{kind} AP{name}", f"{kind} AP{name}")
            for kind in ("mask", "box")
            for key, name in (
                ("50", "50"), ("75", "75"),
                ("_small", " small"), ("_medium", " medium"), ("_large", " large"),
            )
        },
    }  # fmt: skip

    def __init__(
        self,
        model: nn.Module,
        about: dict[str, Any],
        settings: PyramidSettings,
        seed: int,
        run: str,
    ) -> None:
        super().__init__(model, about, settings, seed, run)
        size = about["height"], about["width"]
        self.masks = AveragePrecision("segm", size)
        self.boxes = AveragePrecision("bbox", size)

    def losses(self, batch: ObjectBatch) -> dict[str, Tensor]:
        """Return the losses of the proposals, of the boxes and of the masks."""
        return cast(dict[str, Tensor], self.model(*batch))

    def update(self, batch: ObjectBatch) -> None:
        """Collect boxes and masks."""
        images, targets = batch
        found = self.model(images)
        for one in found:
            one["masks"] = one["masks"][:, 0] > 0.5
        self.masks.update(found, targets)
        self.boxes.update(found, targets)

    def compute(self) -> dict[str, Any]:
        """Return the metrics over all images, and by class."""
        names = dict(enumerate(self.about["things"], start=1))
        return {
            **self.masks.compute_plain("mask_ap", names),
            **self.boxes.compute_plain("box_ap", names),
        }
