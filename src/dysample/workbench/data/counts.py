"""Count pixels and objects in the targets of a data set."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from dysample.workbench.boundary import IGNORE
from dysample.workbench.data.dataset import DataSet
from dysample.workbench.data.targets import VOID


@dataclass(frozen=True)
class Counts:
    """Counts of pixels and objects over some samples.

    Attributes:
        pixels: (classes,) int64, of semantic and panoptic labels.
        objects: (classes,) int64, boxes, masks or segments.
        crowds: objects among them that cover a group.
        labelled: pixels with a class or a depth.
        nearest: smallest depth in metres; infinity without one.
        farthest: largest depth in metres; 0 without one.
    """

    pixels: Tensor
    objects: Tensor
    crowds: int = 0
    labelled: int = 0
    nearest: float = float("inf")
    farthest: float = 0.0

    def __add__(self, other: "Counts") -> "Counts":
        """Return the sum of both counts."""
        return Counts(
            self.pixels + other.pixels,
            self.objects + other.objects,
            self.crowds + other.crowds,
            self.labelled + other.labelled,
            min(self.nearest, other.nearest),
            max(self.farthest, other.farthest),
        )


def no_counts(data: DataSet[Any]) -> Counts:
    """Return counts of zero, for no samples."""
    none = torch.zeros(len(data.classes.names), dtype=torch.int64)
    return Counts(none, none)


def count(data: DataSet[Any], target: Any) -> Counts:
    """Count one sample of a data set."""
    classes = len(data.classes.names)
    none = torch.zeros(classes, dtype=torch.int64)
    if data.kind == "semantic":
        pixels = torch.bincount(target.flatten(), minlength=IGNORE + 1)[:classes]
        return Counts(pixels, none, labelled=int(pixels.sum()))
    if data.kind == "depth":
        known = target[target > 0]
        if not len(known):
            return Counts(none, none)
        nearest, farthest = float(known.min()), float(known.max())
        return Counts(none, none, 0, len(known), nearest, farthest)
    if data.kind == "panoptic":
        categories = target["categories"]
        sizes = torch.bincount(target["segments"].flatten() - VOID, minlength=1 + len(categories))[
            1:
        ]
        pixels = none.index_add(0, categories, sizes)
        objects = torch.bincount(categories, minlength=classes)
        crowds = int(target["iscrowd"].sum())
        return Counts(pixels, objects, crowds, int(sizes.sum()))
    objects = torch.bincount(target["labels"] - 1, minlength=classes)
    return Counts(none, objects, int(target["iscrowd"].sum()))
