"""The shared base of detection, instance and panoptic segmentation."""

from typing import Any, ClassVar, Literal, TypeAlias

from torch import Tensor, nn

from dysample.workbench.data.sample import Sample
from dysample.workbench.models.detector import build_detector
from dysample.workbench.models.papers import build_paper_detector
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
