"""Labelled images in memory, from the embedded scenes or from a folder."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from dysample.workbench.data import camvid, scenes
from dysample.workbench.settings import SemanticSettings, split_data

IGNORE = 255
"""The label of pixels that belong to no class: neither trained on nor evaluated."""

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
        data: ``"scenes"`` or ``"camvid:PATH"``.
        settings: of the run; size and frame counts matter here.

    Raises:
        ValueError: an unknown data set, or frame counts that it does not have.
        FileNotFoundError: a folder or an annotation is missing.
    """
    name, folder = split_data(data)
    if name == "camvid":
        return camvid.describe(folder, settings)
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
        data: ``"scenes"`` or ``"camvid:PATH"``.
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
    name, folder = split_data(data)
    if name == "camvid":
        images, labels = camvid.read_split(folder, split, about)
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
