"""Convert the readers' samples into those of the tasks.

A sample is an image (3, H, W) float32 in 0..1 and a target, a dictionary.

=========  ========================================================================================
task       the target holds
=========  ========================================================================================
semantic   `semantic` (H, W) int64, a class or `IGNORE`
detection  what `targets.DetectionTarget` holds
instance   what `targets.InstanceTarget` holds
panoptic   `panoptic`, a `targets.PanopticTarget` with stuff classes first, and `boxes`, `labels`
           and `masks` of its things without the crowds, label 1 for the first class of things
depth      `depth` (H, W) float32 in metres, 0 where unknown
=========  ========================================================================================
"""

from typing import Any, TypeAlias

import torch
from torch import Tensor

from dysample.workbench.data.dataset import Classes
from dysample.workbench.data.panoptic import instances
from dysample.workbench.data.targets import Kind, PanopticTarget
from dysample.workbench.data.transforms import KeepTrainable

Sample: TypeAlias = tuple[Tensor, dict[str, Any]]

SOURCES: dict[Kind, tuple[Kind, ...]] = {
    "semantic": ("semantic",),
    "detection": ("detection", "instance"),
    "instance": ("instance",),
    "panoptic": ("panoptic",),
    "depth": ("depth",),
}
"""The kinds of data that each task can learn from."""


def class_order(task: Kind, classes: Classes) -> list[int]:
    """Return the data set's classes in the task's order: for panoptic, stuff comes first."""
    order = range(len(classes.names))
    return sorted(order, key=classes.things.__contains__) if task == "panoptic" else list(order)


def to_sample(task: Kind, classes: Classes, image: Tensor, target: Any, training: bool) -> Sample:
    """Convert a pair (image, target), after one of the pipelines of `transforms`, into a sample.

    Args:
        task: what the sample is for; the target is of one of its `SOURCES`.
        classes: of the data set.
        image: (3, H, W) float32 in 0..1.
        target: of plain tensors, in one of the forms of `targets`.
        training: drop objects that cannot be learned from: crowds, and objects without remaining
            pixels. Evaluation needs both.
    """
    if task in ("semantic", "depth"):
        return image, {task: target}
    if task == "panoptic":
        return image, _panoptic(target, classes)
    if training:
        image, target = KeepTrainable()(image, target)
    unused = "masks" if task == "detection" else None
    return image, {name: value for name, value in target.items() if name != unused}


def _panoptic(target: PanopticTarget, classes: Classes) -> dict[str, Any]:
    order = class_order("panoptic", classes)
    place = torch.tensor(order).argsort()
    panoptic = PanopticTarget(**{**target, "categories": place[target["categories"]]})
    objects = instances(panoptic, range(len(order) - len(classes.things), len(order)))
    single = objects["iscrowd"] == 0
    return {
        "panoptic": panoptic,
        "boxes": objects["boxes"].as_subclass(Tensor)[single],
        "labels": objects["labels"][single],
        "masks": objects["masks"].as_subclass(Tensor)[single],
    }
