"""Data sets on disk, loaded into memory at the size of a run."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from dysample.workbench.data.catalog import READERS, find_reader
from dysample.workbench.data.dataset import DataSet
from dysample.workbench.data.images import check_image
from dysample.workbench.data.panoptic import semantic_labels
from dysample.workbench.data.reader import SPLITS
from dysample.workbench.data.sample import SOURCES, Sample, class_order, to_sample
from dysample.workbench.data.targets import Kind
from dysample.workbench.data.transforms import evaluation_transform
from dysample.workbench.settings import LONGEST, SIZES, Settings

_OBJECTS = ("detection", "instance")


class DiskSet:
    """Images of one size in memory, as samples and as batches.

    Args:
        task: that the samples are for.
        data: a split whose targets the task can learn from.
        size: height and width into which the images are fitted, and padded on the right or below.
        count: of images, the first ones.
        collate: makes a batch of a list of samples.
        progress: called with (done, total) while files are read.

    Attributes:
        images: (N, 3, H, W) uint8, RGB.
        left_out: number of training images without an object, which detectors skip.

    Raises:
        ValueError, FileNotFoundError: a file cannot be used, or no image has an object.
    """

    def __init__(
        self,
        task: Kind,
        data: DataSet[Any],
        size: tuple[int, int],
        count: int,
        collate: Callable[[list[Sample]], Any],
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self.task = task
        self.classes = data.classes
        self.training = data.split == "train"
        self.collate = collate
        transformed = data.transformed(evaluation_transform(data.kind, size))
        images = torch.empty((count, 3, *size), dtype=torch.uint8)
        self.targets: list[Any] = []
        for i in range(count):
            image, target = transformed[i]
            if task == "detection":
                target.pop("masks", None)  # not to be kept in memory
            kept = len(self.targets)
            images[kept] = (image * 255).round()
            if not self.training or task not in _OBJECTS or self._objects(image, target):
                self.targets.append(_packed(data.kind, target))
            if progress is not None:
                progress(i + 1, count)
        self.images = images[: len(self.targets)]
        self.left_out = count - len(self.targets)
        if not self.targets:
            raise ValueError(f"{data.name} {data.split} must hold objects, but no image has one")

    def __len__(self) -> int:
        """Number of images."""
        return len(self.targets)

    @property
    def labels(self) -> Tensor:
        """(N, H, W) uint8, the class of each pixel, if the task has classes of pixels."""
        maps = [self.sample(i)[1] for i in range(len(self))]
        found = [
            one["semantic"] if self.task == "semantic" else semantic_labels(one["panoptic"])
            for one in maps
        ]
        return torch.stack(found).to(torch.uint8)

    def batch(self, index: Tensor, flip: Tensor | None = None) -> Any:
        """Return the collated samples `index` (B,) int64, flipped where `flip` (B,) is true."""
        flips = [False] * len(index) if flip is None else flip.tolist()
        return self.collate([self.sample(i, f) for i, f in zip(index.tolist(), flips)])

    def sample(self, i: int, flip: bool = False) -> Sample:
        """Return image and target of sample i."""
        image, target = self.images[i] / 255, _unpacked(self.targets[i])
        if flip:
            image, target = image.flip(-1), _mirrored(target, image.shape[-1])
        return to_sample(self.task, self.classes, image, target, self.training)

    def _objects(self, image: Tensor, target: Any) -> int:
        _, kept = to_sample(self.task, self.classes, image, target, training=True)
        return len(kept["labels"])


def describe_disk(
    data: str, settings: Settings, task: Kind, longest: int = LONGEST
) -> dict[str, Any]:
    """Describe a data set for a record, without decoding images.

    Args:
        data: ``"NAME:PATH"``.
        settings: of the run; size and frame counts matter here.
        task: that is to learn from it.
        longest: side of the images in pixels.

    Raises:
        ValueError: an unknown data set, one of another kind, or frame counts that it does not have.
        FileNotFoundError: a folder or list is missing.
    """
    train, val = (open_split(data, split, task) for split in SPLITS)
    counts = {}
    for split, wanted in ((train, settings.train_frames), (val, settings.val_frames)):
        if wanted is not None and wanted > len(split):
            raise ValueError(
                f"`{split.split}_frames` (={wanted}) must not exceed the {len(split)} images in "
                f"{data}"
            )
        counts[split.split] = wanted or len(split)
    first = train.items[0]
    height, width = check_image(first.image, first.size)
    width = round(settings.size * width / height)
    if not SIZES[0] <= width <= longest or settings.size > longest:
        raise ValueError(
            f"`size` (={settings.size}) makes images {width} pixels wide; both must be from "
            f"{SIZES[0]} to {longest}"
        )
    order = class_order(task, train.classes)
    return {
        "name": train.name,
        **counts,
        "height": settings.size,
        "width": width,
        "classes": [train.classes.names[i] for i in order],
        "things": [train.classes.names[i] for i in order if i in train.classes.things],
    }


def load_disk_sets(
    data: str,
    about: dict[str, Any],
    task: Kind,
    collate: Callable[[list[Sample]], Any],
    progress: Callable[[int, int], None] | None = None,
) -> tuple[DiskSet, DiskSet]:
    """Load training and validation set.

    Args:
        data: ``"NAME:PATH"``.
        about: from `describe_disk`.
        task: that is to learn from it.
        collate: makes a batch of a list of samples.
        progress: called with (done, total) while files are read, once a split.

    Raises:
        ValueError, FileNotFoundError: as `describe_disk`, and for every file that cannot be used.
    """
    size = (about["height"], about["width"])
    train, val = (
        DiskSet(task, open_split(data, split, task), size, about[split], collate, progress)
        for split in SPLITS
    )
    return train, val


def open_split(data: str, split: str, task: Kind) -> DataSet[Any]:
    """Open a split of a data set that a task can learn from.

    Args:
        data: ``"NAME:PATH"``.
        split: ``"train"`` or ``"val"``.
        task: that is to learn from it.

    Raises:
        ValueError: an unknown data set, one of another kind, or an empty split.
        FileNotFoundError: a folder or list is missing.
    """
    reader, folder = find_reader(data)
    if reader.kind not in SOURCES[task]:
        fitting = [name for name, other in READERS.items() if other.kind in SOURCES[task]]
        raise ValueError(
            f"`data` (={data!r}) must be of {', '.join(fitting)} or 'scenes' for the task {task}; "
            f"{reader.name} has {reader.kind} targets"
        )
    found = reader.open(folder, split)
    if not len(found):
        raise ValueError(f"{data} must hold images of the split {split}, but has none")
    return found


def _packed(kind: Kind, target: Any) -> Any:
    """Pack class and segment numbers into fewer bytes than the int64 of the models."""
    if kind == "semantic":
        return target.to(torch.uint8)
    if kind == "panoptic":
        return {**target, "segments": target["segments"].to(torch.int16)}
    return target


def _unpacked(target: Any) -> Any:
    if not isinstance(target, dict):
        return target if target.is_floating_point() else target.long()
    if "segments" in target:
        return {**target, "segments": target["segments"].long()}
    return target


def _mirrored(target: Any, width: int) -> Any:
    """Flip a target horizontally, for an image of that width."""
    if not isinstance(target, dict):
        return target.flip(-1)
    maps = {name: target[name].flip(-1) for name in ("segments", "masks") if name in target}
    if "boxes" in target:
        left, top, right, bottom = target["boxes"].unbind(-1)
        maps["boxes"] = torch.stack([width - right, top, width - left, bottom], dim=-1)
    return {**target, **maps}
