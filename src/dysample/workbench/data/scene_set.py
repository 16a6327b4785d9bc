"""The embedded scenes as samples for detection, instance, panoptic and depth models.

A sample is an image (3, H, W) float32 in 0..1 and a target, a dictionary as in torchvision's
references: `boxes` (N, 4) float32 as x1, y1, x2, y2 in pixels, edges at whole numbers; `labels`
(N,) int64, 1 for the first of `THINGS`; `masks` (N, H, W) uint8; `segments` (H, W) int64, 0 where
nothing is known, else k for the segment of class `segment_classes[k - 1]`, (K,) int64 positions
in `CLASSES`; `depth` (H, W) float32 in metres, 0 where unknown.
"""

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor

from dysample.workbench.data import scenes
from dysample.workbench.data.scenes.arrays import Bools, Bytes
from dysample.workbench.data.segmentation import SCENES_SEED
from dysample.workbench.settings import Settings

Sample: TypeAlias = tuple[Tensor, dict[str, Tensor]]

SMALLEST_OBJECT = 20
"""Visible pixels below which an object counts as hidden: no thing, and unknown to panoptic maps."""

_STUFF = len(scenes.CLASSES) - len(scenes.THINGS)


class SceneSet:
    """Scenes in memory, as samples and as batches.

    Args:
        frames: rendered.
        collate: makes a batch of a list of samples.
    """

    def __init__(self, frames: scenes.Scenes, collate: Callable[[list[Sample]], Any]) -> None:
        self.frames = frames
        self.collate = collate

    def __len__(self) -> int:
        """Number of images."""
        return len(self.frames.image)

    @property
    def images(self) -> Tensor:
        """(N, 3, H, W) uint8, RGB."""
        return torch.from_numpy(self.frames.image).permute(0, 3, 1, 2)

    @property
    def labels(self) -> Tensor:
        """(N, H, W) uint8, positions in `CLASSES`."""
        return torch.from_numpy(self.frames.semantic)

    def batch(self, index: Tensor, flip: Tensor | None = None) -> Any:
        """The collated samples `index` (B,) int64, mirrored where `flip` (B,) bool."""
        flips = [False] * len(index) if flip is None else flip.tolist()
        return self.collate([self.sample(i, f) for i, f in zip(index.tolist(), flips)])

    def sample(self, i: int, flip: bool = False) -> Sample:
        """Image and target of frame i."""
        step = -1 if flip else 1
        image = torch.from_numpy(self.frames.image[i, :, ::step].copy()).permute(2, 0, 1)
        target = _objects(self.frames.semantic[i, :, ::step], self.frames.instance[i, :, ::step])
        target["depth"] = torch.from_numpy(self.frames.depth[i, :, ::step].copy())
        return image / 255, target


def describe_scenes(data: str, settings: Settings) -> dict[str, Any]:
    """What a record says about the scenes.

    Raises:
        ValueError: another data set.
    """
    if data != "scenes":
        raise ValueError(f"`data` (={data!r}) must be 'scenes' for every task but semantic")
    return {
        "name": "scenes",
        "train": settings.train_frames,
        "val": settings.val_frames,
        "height": settings.size,
        "width": settings.size,
        "classes": list(scenes.CLASSES),
        "things": list(scenes.THINGS),
        "scenes_seed": SCENES_SEED,
        "renderer": scenes.VERSION,
    }


def load_scene_sets(
    about: dict[str, Any],
    collate: Callable[[list[Sample]], Any],
    progress: Callable[[int, int], None] | None = None,
) -> tuple[SceneSet, SceneSet]:
    """Training and validation set.

    Args:
        about: from `describe_scenes`.
        collate: makes a batch of a list of samples.
        progress: called with (done, total) while scenes are rendered, once a split.
    """

    def load(split: Literal["train", "val"]) -> SceneSet:
        frames = scenes.load_scenes(
            split, about[split], size=about["height"], seed=SCENES_SEED, progress=progress
        )
        return SceneSet(frames, collate)

    return load("train"), load("val")


def _objects(semantic: Bytes, instance: Bytes) -> dict[str, Tensor]:
    """Things and segments of a frame, from its classes and instances (H, W) uint8."""
    pixels = np.bincount(instance.ravel())
    shown = [k for k in range(1, len(pixels)) if pixels[k] >= SMALLEST_OBJECT]
    masks: Bools = instance == np.array(shown, np.uint8).reshape(-1, 1, 1)
    classes = np.array([semantic[instance == k].max() for k in shown], np.int64)
    stuff = [c for c in range(_STUFF) if (semantic == c).any()]
    segments = np.zeros(semantic.shape, np.int64)
    for k, mask in enumerate([*(semantic == c for c in stuff), *masks], start=1):
        segments[mask] = k
    return {
        "boxes": _boxes(masks),
        "labels": torch.from_numpy(classes - _STUFF + 1),
        "masks": torch.from_numpy(masks.astype(np.uint8)),
        "segments": torch.from_numpy(segments),
        "segment_classes": torch.tensor([*stuff, *classes.tolist()]),
    }


def _boxes(masks: Bools) -> Tensor:
    """Boxes (N, 4) around masks (N, H, W), none of them empty."""
    boxes = np.empty((len(masks), 4), np.float32)
    for axis, (first, last) in ((1, (0, 2)), (2, (1, 3))):
        # Columns of set pixels for x, rows for y.
        profile: Bools = np.any(masks, axis=axis)
        boxes[:, first] = profile.argmax(axis=1)
        boxes[:, last] = profile.shape[1] - profile[:, ::-1].argmax(axis=1)
    return torch.from_numpy(boxes)
