"""Detection and instance segmentation, and their shared base with panoptic segmentation."""

from typing import Any, ClassVar, Literal, TypeAlias, cast

from torch import Tensor, nn

from dysample.workbench.data.sample import Sample
from dysample.workbench.metrics.average_precision import AveragePrecision
from dysample.workbench.models.detector import build_detector
from dysample.workbench.models.papers import build_paper_detector
from dysample.workbench.record import Measure
from dysample.workbench.settings import SMALL, PyramidSettings
from dysample.workbench.tasks.base import Task

ObjectBatch: TypeAlias = tuple[list[Tensor], list[dict[str, Any]]]


class ObjectTask(Task):
    """A task whose model is built on torchvision's Faster R-CNN, on a feature pyramid.

    In training the model maps images (3, H, W) in 0..1 and targets to losses by name, otherwise
    images to one dictionary each.
    """

    kind: ClassVar[Literal["detection", "instance", "panoptic"]]

    uses_all_parameters = True

    @staticmethod
    def batch(samples: list[Sample]) -> ObjectBatch:
        """Return images and targets in two lists, as torchvision's detectors expect them."""
        return [image for image, _ in samples], [target for _, target in samples]

    @classmethod
    def build_model(
        cls,
        upsampler: str,
        options: dict[str, Any],
        about: dict[str, Any],
        settings: PyramidSettings,
        seed: int,
    ) -> nn.Module:
        """Build a small detector, or a model of the papers."""
        build = build_detector if settings.model == SMALL else build_paper_detector
        model: nn.Module = build(cls.kind, upsampler, options, about, settings, seed)
        return model

    def losses(self, batch: ObjectBatch) -> dict[str, Tensor]:
        """Return the model's: two of the proposals, two of the boxes, and one of masks if any."""
        return cast(dict[str, Tensor], self.model(*batch))


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

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.precision = AveragePrecision("bbox", (self.about["height"], self.about["width"]))

    def update(self, batch: ObjectBatch) -> None:
        """Collect boxes."""
        images, targets = batch
        self.precision.update(self.model(images), targets)

    def compute(self) -> dict[str, Any]:
        """Return the metrics over all images, and by class."""
        return self.precision.compute_plain("ap", dict(enumerate(self.about["things"], start=1)))


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

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        size = self.about["height"], self.about["width"]
        self.masks = AveragePrecision("segm", size)
        self.boxes = AveragePrecision("bbox", size)

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
