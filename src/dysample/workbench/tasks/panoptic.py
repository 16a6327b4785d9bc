"""Panoptic segmentation."""

from typing import Any, ClassVar

import torch
from torch import Tensor

from dysample.workbench.data.panoptic import semantic_labels
from dysample.workbench.metrics.boundary import IGNORE
from dysample.workbench.metrics.panoptic_quality import PanopticQuality, merge_panoptic
from dysample.workbench.record import Measure
from dysample.workbench.tasks.objects import ObjectBatch, ObjectTask

_NUMBERS = ("pq", "sq", "rq")


class PanopticTask(ObjectTask):
    """The losses of Panoptic FPN; panoptic quality and its factors, of all, things and stuff.

    Classes are stuff first, then things.
    """

    kind = "panoptic"
    measures: ClassVar = {
        "pq": Measure("PQ", "PQ"),
        "sq": Measure("SQ", "SQ"),
        "rq": Measure("RQ", "RQ"),
        **{
            f"{key}_{group}": Measure(f"{key.upper()} {group}", f"{key.upper()} {group}")
            for group in ("things", "stuff")
            for key in _NUMBERS
        },
    }

    predicts_classes = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        classes, self.stuff = (
            len(self.about["classes"]),
            len(self.about["classes"]) - len(self.about["things"]),
        )
        self.quality = PanopticQuality(classes)

    def losses(self, batch: ObjectBatch) -> dict[str, Tensor]:
        """Return the losses of Mask R-CNN and of the semantic branch."""
        images, targets = batch
        targets = [
            {**target, "semantic": branch_labels(semantic_labels(target["panoptic"]), self.stuff)}
            for target in targets
        ]
        return super().losses((images, targets))

    def predict(self, images: list[Tensor]) -> Tensor:
        """Predict category, or `IGNORE`, and instance of each pixel: (B, H, W, 2) int64."""
        maps = [
            merge_panoptic(
                one["masks"][:, 0] > 0.5,
                one["labels"],
                one["scores"],
                one["semantic"].argmax(dim=0),
                self.stuff,
            )
            for one in self.model(images)
        ]
        return torch.stack(maps)

    def predict_classes(self, batch: ObjectBatch) -> Tensor:
        """Predict the category of each pixel; `IGNORE` for none."""
        return self.predict(batch[0])[..., 0]

    def update(self, batch: ObjectBatch) -> None:
        """Match segments."""
        images, targets = batch
        for prediction, target in zip(self.predict(images), targets):
            self.quality.update(prediction, target["panoptic"])

    def compute(self) -> dict[str, Any]:
        """Return means over the classes that occur in labels or predictions, and PQ by class."""
        numbers = self.quality.compute()
        groups = {"": numbers, "_things": numbers[self.stuff :], "_stuff": numbers[: self.stuff]}
        return {
            **{
                f"{key}{end}": part[:, column].nanmean()
                for end, part in groups.items()
                for column, key in enumerate(_NUMBERS)
            },
            "class_pq": dict(zip(self.about["classes"], numbers[:, 0])),
        }


def branch_labels(classes: Tensor, stuff: int) -> Tensor:
    """Return the semantic branch's labels: stuff classes, then one for all things; or `IGNORE`."""
    return classes.clamp(max=stuff).where(classes != IGNORE, IGNORE)
