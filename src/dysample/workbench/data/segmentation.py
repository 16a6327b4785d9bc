"""Labelled images in memory, from the embedded scenes or from a folder."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from dysample.workbench.data import scenes
from dysample.workbench.data.catalog import find_reader
from dysample.workbench.data.dataset import DataSet
from dysample.workbench.data.images import open_image
from dysample.workbench.data.reader import SPLITS
from dysample.workbench.data.targets import IGNORE
from dysample.workbench.settings import SemanticSettings, split_data

__all__ = ["IGNORE", "SegmentationSet", "describe_segmentation", "load_segmentation"]

# One fixed set of rooms: seeds vary the training, not the data.
SCENES_SEED = 0


@dataclass(frozen=True)
class SegmentationSet:
    """Images with a class for each pixel.

    Attributes:
        images: (N, 3, H, W) uint8, RGB.
        labels: (N, H, W) uint8, indices into `classes`, or `IGNORE`.
        classes: names.
    """

    images: Tensor
    labels: Tensor
    classes: tuple[str, ...]

    def __len__(self) -> int:
        """Number of images."""
        return len(self.images)

    def batch(self, index: Tensor, flip: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Images (B, 3, H, W) float32 in -1..1 and labels (B, H, W) int64, mirrored where `flip`.

        Args:
            index: (B,) int64.
            flip: (B,) bool; None mirrors none.
        """
        images, labels = self.images[index], self.labels[index]
        if flip is not None:
            images = torch.where(flip[:, None, None, None], images.flip(-1), images)
            labels = torch.where(flip[:, None, None], labels.flip(-1), labels)
        images = images.float().contiguous(memory_format=torch.channels_last)
        return images / 127.5 - 1, labels.long()


def describe_segmentation(data: str, settings: SemanticSettings) -> dict[str, Any]:
    """What a record says about its data, found without rendering or decoding images.

    Args:
        data: ``"scenes"``, or ``"NAME:PATH"`` of a data set of semantic labels.
        settings: of the run; size and frame counts matter here.

    Raises:
        ValueError: an unknown data set, or frame counts that it does not have.
        FileNotFoundError: a folder or an annotation is missing.
    """
    if split_data(data)[0] != "scenes":
        return _describe_folder(data, settings)
    for option in ("train_frames", "val_frames"):
        if getattr(settings, option) is None:
            raise ValueError(f"`{option}` (=None) must be a number: scenes are rendered on demand")
    return {
        "name": "scenes",
        "train": settings.train_frames,
        "val": settings.val_frames,
        "height": settings.size,
        "width": settings.size,
        "classes": list(scenes.CLASSES),
        "scenes_seed": SCENES_SEED,
        "renderer": scenes.VERSION,
    }


def load_segmentation(
    data: str,
    settings: SemanticSettings,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[SegmentationSet, SegmentationSet, dict[str, Any]]:
    """Training set, validation set, and what a record says about them.

    Args:
        data: ``"scenes"``, or ``"NAME:PATH"`` of a data set of semantic labels.
        settings: of the run; size and frame counts matter here.
        progress: called with (done, total) while scenes are rendered, once a split.

    Raises:
        ValueError, FileNotFoundError: as `describe_segmentation`, and for every image or label
            that cannot be used.
    """
    about = describe_segmentation(data, settings)
    train = _load_split(data, "train", about, progress)
    return train, _load_split(data, "val", about, progress), about


def _load_split(
    data: str,
    split: Literal["train", "val"],
    about: dict[str, Any],
    progress: Callable[[int, int], None] | None,
) -> SegmentationSet:
    if split_data(data)[0] != "scenes":
        images, labels = _read_folder(_open_semantic(data, split), about)
    else:
        frames = scenes.load_scenes(
            split, about[split], size=about["height"], seed=SCENES_SEED, progress=progress
        )
        images, labels = frames.image, frames.semantic
    return SegmentationSet(
        images=torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(),
        labels=torch.from_numpy(labels),
        classes=tuple(about["classes"]),
    )


def _open_semantic(data: str, split: str) -> DataSet[Any]:
    reader, folder = find_reader(data)
    if reader.kind != "semantic":
        raise ValueError(
            f"`data` (={data!r}) must hold semantic labels, but {reader.name} has none"
        )
    return reader.open(folder, split)


def _describe_folder(data: str, settings: SemanticSettings) -> dict[str, Any]:
    train, val = (_open_semantic(data, split) for split in SPLITS)
    counts = {}
    for split, wanted in ((train, settings.train_frames), (val, settings.val_frames)):
        if wanted is not None and wanted > len(split):
            raise ValueError(
                f"`{split.split}_frames` (={wanted}) must not exceed the {len(split)} images in "
                f"{data}"
            )
        counts[split.split] = wanted or len(split)
        for item in split.items:
            if not item.annotation.is_file():
                raise FileNotFoundError(
                    f"image {item.image} must have an annotation {item.annotation}"
                )
    with open_image(train.items[0].image) as image:
        # Whole pixels of the aspect ratio; the long side is held to where 16-bit positions end.
        scaled = round(settings.size * image.width / image.height)
    if not 32 <= scaled <= 512:
        raise ValueError(
            f"`size` (={settings.size}) makes images {scaled} pixels wide; must be from 32 to 512"
        )
    return {
        "name": train.name,
        "train": counts["train"],
        "val": counts["val"],
        "height": settings.size,
        "width": scaled,
        "classes": list(train.classes.names),
    }


def _read_folder(
    data: DataSet[Any], about: dict[str, Any]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Images (N, H, W, 3), resized with antialiasing, and labels (N, H, W), by the nearest pixel.

    All take the first training image's shape.
    """
    size = (about["width"], about["height"])
    images = np.empty((about[data.split], about["height"], about["width"], 3), np.uint8)
    labels = np.empty(images.shape[:3], np.uint8)
    for i, item in enumerate(data.items[: len(images)]):
        with open_image(item.image) as image:
            target = data.read_target(item, (image.height, image.width))
            images[i] = image.convert("RGB").resize(size, Image.Resampling.BILINEAR)
        label = Image.fromarray(target.numpy().astype(np.uint8))
        labels[i] = label.resize(size, Image.Resampling.NEAREST)
    return images, labels
