"""Data sets on disk at the size of a run, for training and evaluation."""

from collections.abc import Callable, Iterator, Sequence
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
from dysample.workbench.data.transforms import evaluation_transform, training_transform
from dysample.workbench.seeds import seeded
from dysample.workbench.settings import SIZES, Settings

KEPT = 2**30
"""Bytes of images and targets that a set keeps in memory; what does not fit is read again."""


class DiskSet:
    """Images of one size, read when they are first needed and kept in memory while they fit.

    Args:
        task: that the samples are for.
        data: a split whose targets the task can learn from.
        size: height and width into which the images are fitted, and padded on the right or below.
        images: of the split, by their places in it.
        collate: makes a batch of a list of samples.
        training: drop objects that cannot be learned from: crowds, and objects without pixels.
        augment: `training_batch` augments images at random, each read anew, instead of flipping.
    """

    def __init__(
        self,
        task: Kind,
        data: DataSet[Any],
        size: tuple[int, int],
        images: range,
        collate: Callable[[list[Sample]], Any],
        *,
        training: bool = False,
        augment: bool = False,
    ) -> None:
        self.task = task
        self.kind = data.kind
        self.classes = data.classes
        self.images = images
        self.collate = collate
        self.training = training
        self.augment = augment
        self.whole = data.transformed(evaluation_transform(data.kind, size))
        self.random = data.transformed(training_transform(data.kind, size))
        self.room = KEPT
        self._kept: dict[int, tuple[Tensor, Any]] = {}

    def __len__(self) -> int:
        """Number of images."""
        return len(self.images)

    def batch(self, index: Tensor) -> Any:
        """Return the collated samples `index` (B,) int64, as they are."""
        return self.collate([self.sample(i) for i in index.tolist()])

    def training_batch(self, index: Tensor, flip: Tensor, places: Sequence[int], seed: int) -> Any:
        """Return the collated samples `index`, augmented or only flipped.

        The augmentation depends only on the seed and the position in the stream of samples, so it
        is the same for any world size and in a resumed run.

        Args:
            index: (B,) int64.
            flip: (B,) bool, the samples to flip if the set does not augment.
            places: positions of the samples in the stream.
            seed: of the run.
        """
        if not self.augment:
            pairs = zip(index.tolist(), flip.tolist())
            return self.collate([self.sample(i, flipped) for i, flipped in pairs])
        samples = []
        for i, place in zip(index.tolist(), places):
            with seeded(seed, f"place {place}"):
                samples.append(self._to_sample(*self.random[self.images[i]]))
        return self.collate(samples)

    def sample(self, i: int, flip: bool = False) -> Sample:
        """Return image and target of sample i."""
        image, target = self._read(i)
        image, target = image / 255, _unpacked(target)
        if flip:
            image, target = image.flip(-1), _mirrored(target, image.shape[-1])
        return self._to_sample(image, target)

    def label(self, i: int) -> Tensor:
        """Return the class of each pixel of image i, (H, W) uint8, of a task that has such."""
        target = self.sample(i)[1]
        found: Tensor = (
            target["semantic"] if self.task == "semantic" else semantic_labels(target["panoptic"])
        )
        return found.to(torch.uint8)

    def _to_sample(self, image: Tensor, target: Any) -> Sample:
        return to_sample(self.task, self.classes, image, target, self.training)

    def _read(self, i: int) -> tuple[Tensor, Any]:
        """Return image i as (3, H, W) uint8 and its packed target."""
        if i in self._kept:
            return self._kept[i]
        image, target = self.whole[self.images[i]]
        if self.task == "detection":
            target.pop("masks", None)
        found = (image * 255).round().to(torch.uint8), _packed(self.kind, target)
        size = sum(one.nbytes for one in _tensors(found))
        if size <= self.room:
            self.room -= size
            self._kept[i] = found
        return found


def describe_disk(data: str, settings: Settings, task: Kind) -> dict[str, Any]:
    """Describe a data set for a record, without decoding images.

    Args:
        data: ``"NAME:PATH"``.
        settings: of the run; size and frame counts matter here.
        task: that is to learn from it.

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
    counts["train"], counts["val"] = settings.split(counts["train"], counts["val"])
    first = train.items[0]
    height, width = check_image(first.image, first.size)
    width = round(settings.size * width / height)
    if not SIZES[0] <= width <= SIZES[1]:
        raise ValueError(
            f"`size` (={settings.size}) makes images {width} pixels wide; both must be from "
            f"{SIZES[0]} to {SIZES[1]}"
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


def open_disk_sets(
    data: str,
    about: dict[str, Any],
    task: Kind,
    collate: Callable[[list[Sample]], Any],
    settings: Settings,
) -> tuple[DiskSet, DiskSet]:
    """Open training and validation set.

    Args:
        data: ``"NAME:PATH"``.
        about: from `describe_disk`.
        task: that is to learn from it.
        collate: makes a batch of a list of samples.
        settings: of the run; `augment` and `held_out` matter here.

    Raises:
        ValueError, FileNotFoundError: as `describe_disk`.
    """
    size = (about["height"], about["width"])
    train = open_split(data, "train", task)
    val = train if settings.held_out else open_split(data, "val", task)
    first = about["train"] if settings.held_out else 0
    return (
        DiskSet(
            task,
            train,
            size,
            range(about["train"]),
            collate,
            training=True,
            augment=settings.augment,
        ),
        DiskSet(task, val, size, range(first, first + about["val"]), collate),
    )


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


def _tensors(value: Any) -> Iterator[Tensor]:
    """Every tensor of an image and its target."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict | tuple):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _tensors(part)


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
