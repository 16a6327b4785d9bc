"""The embedded scenes as samples for every task, in the forms of `sample`.

Label 1 stands for the first of `THINGS`; classes of pixels and segments are positions in
`describe_scenes`'s classes, stuff first.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torchvision.tv_tensors import Mask

from dysample.workbench.data import scenes
from dysample.workbench.data.panoptic import instances
from dysample.workbench.data.sample import Sample
from dysample.workbench.data.scenes.arrays import Bytes
from dysample.workbench.data.targets import VOID, Kind, PanopticTarget
from dysample.workbench.settings import LONGEST, Settings, check_count

# One fixed set of rooms: seeds vary the training, not the data.
SCENES_SEED = 0

SMALLEST_OBJECT = 20
"""Visible pixels below which an object counts as hidden: no thing, and in no panoptic segment."""

_FENCE = 1 + scenes.THINGS.index("fence")


class SceneSet:
    """Scenes in memory, as samples and as batches.

    Args:
        task: that the samples are for.
        frames: rendered.
        collate: makes a batch of a list of samples.
    """

    def __init__(
        self, task: Kind, frames: scenes.Scenes, collate: Callable[[list[Sample]], Any]
    ) -> None:
        self.task = task
        self.names, self.things = _division(task)
        # From positions in CLASSES to those in the task's order; other labels stay what they are.
        self.places = np.arange(256, dtype=np.uint8)
        self.places[: len(self.names)] = [self.names.index(name) for name in scenes.CLASSES]
        self.frames = frames
        self.collate = collate

    def __len__(self) -> int:
        """Number of images."""
        return len(self.frames.image)

    def batch(self, index: Tensor) -> Any:
        """Return the collated samples `index` (B,) int64, as they are."""
        return self.collate([self.sample(i) for i in index.tolist()])

    def training_batch(self, index: Tensor, flip: Tensor, places: Sequence[int], seed: int) -> Any:
        """Return the collated samples `index` (B,), flipped where `flip` (B,) is true."""
        return self.collate([self.sample(i, f) for i, f in zip(index.tolist(), flip.tolist())])

    def label(self, i: int) -> Tensor:
        """Return the class of each pixel of frame i, (H, W) uint8."""
        return torch.from_numpy(self.places[self.frames.semantic[i]])

    def sample(self, i: int, flip: bool = False) -> Sample:
        """Return image and target of frame i."""
        step = -1 if flip else 1
        frames = self.frames
        colours = torch.from_numpy(frames.image[i, :, ::step].copy()).permute(2, 0, 1) / 255
        semantic = self.places[frames.semantic[i, :, ::step]]
        if self.task == "semantic":
            return colours, {"semantic": torch.from_numpy(semantic).long()}
        if self.task == "depth":
            return colours, {"depth": torch.from_numpy(frames.depth[i, :, ::step].copy())}
        stuff = len(self.names) - len(self.things)
        panoptic = _panoptic(semantic, frames.instance[i, :, ::step], stuff, i)
        objects = instances(panoptic, range(stuff, len(self.names)))
        target: dict[str, Any] = {
            "boxes": objects["boxes"].as_subclass(Tensor),
            "labels": objects["labels"],
        }
        if self.task != "detection":
            target["masks"] = objects["masks"].as_subclass(Tensor)
        if self.task == "instance":
            fences = target["labels"] == _FENCE
            target["masks"][fences] = _spanned(target["masks"][fences])
        if self.task == "panoptic":
            target["panoptic"] = panoptic
        return colours, target


def describe_scenes(settings: Settings, task: Kind) -> dict[str, Any]:
    """Describe the scenes for a record.

    Args:
        settings: of the run; size and frame counts matter here.
        task: that the samples are for.

    Raises:
        ValueError: a frame count is missing, images too large for a record, or `augment`.
    """
    if settings.augment:
        raise ValueError("`augment` (=True) must be left out for scenes: it is for photographs")
    if settings.size > LONGEST:
        raise ValueError(f"`size` (={settings.size}) of scenes must be at most {LONGEST} pixels")
    counts = []
    for option in ("train_frames", "val_frames"):
        if getattr(settings, option) is None:
            raise ValueError(f"`{option}` (=None) must be a number: scenes are rendered on demand")
        counts.append(check_count(option, getattr(settings, option), most=scenes.LARGEST_SET))
    train, val = settings.split(*counts)
    names, things = _division(task)
    return {
        "name": "scenes",
        "train": train,
        "val": val,
        "height": settings.size,
        "width": settings.size,
        "classes": names,
        "things": things,
        "scenes_seed": SCENES_SEED,
        "renderer": scenes.VERSION,
    }


def load_scene_sets(
    about: dict[str, Any],
    task: Kind,
    collate: Callable[[list[Sample]], Any],
    progress: Callable[[int, int], None] | None = None,
    held_out: bool = False,
) -> tuple[SceneSet, SceneSet]:
    """Render training and validation set.

    Args:
        about: from `describe_scenes`.
        task: that the samples are for.
        collate: makes a batch of a list of samples.
        progress: called with (done, total) while scenes are rendered, once a split.
        held_out: the validation set is the end of the training split.
    """

    def load(split: Literal["train", "val"], count: int) -> scenes.Scenes:
        return scenes.load_scenes(
            split, count, size=about["height"], seed=SCENES_SEED, progress=progress
        )

    train, val = about["train"], about["val"]
    if held_out:
        frames = load("train", train + val)
        pair = frames[:train], frames[train:]
    else:
        pair = load("train", train), load("val", val)
    return SceneSet(task, pair[0], collate), SceneSet(task, pair[1], collate)


def _spanned(masks: Tensor) -> Tensor:
    """Fill the pixels that lie between mask pixels both in their row and in their column.

    This is how people outline fences. The bars alone are finer than the 28 x 28 pixels of a Mask
    R-CNN mask. Masks are (N, H, W) uint8.
    """
    along_rows, along_columns = (
        masks.cummax(axis).values & masks.flip(axis).cummax(axis).values.flip(axis)
        for axis in (-1, -2)
    )
    return along_rows & along_columns


def _division(task: Kind) -> tuple[list[str], list[str]]:
    """Return all classes, stuff first, and the things among them.

    Fences are stuff in a panoptic map, as in COCO's: the bars, which have to be there, are finer
    than the masks of things.
    """
    things = [name for name in scenes.THINGS if task != "panoptic" or name != "fence"]
    return [name for name in scenes.CLASSES if name not in things] + things, things


def _panoptic(semantic: Bytes, instance: Bytes, stuff: int, i: int) -> PanopticTarget:
    """Build the segments of frame i, stuff first, from its classes and instances (H, W) uint8.

    The first `stuff` classes are stuff; instances of theirs are none here.
    """
    pixels = np.bincount(instance.ravel())
    large = [k for k in range(1, len(pixels)) if pixels[k] >= SMALLEST_OBJECT]
    kinds = {k: int(semantic[instance == k].max()) for k in large}
    shown = [k for k in large if kinds[k] >= stuff]
    uncounted = [c for c in range(stuff) if (semantic == c).any()]
    segments = np.full(semantic.shape, VOID, np.int64)
    masks = [semantic == c for c in uncounted] + [instance == k for k in shown]
    for number, mask in enumerate(masks):
        segments[mask] = number
    categories = torch.tensor(uncounted + [kinds[k] for k in shown])
    return PanopticTarget(
        segments=Mask(torch.from_numpy(segments)),
        categories=categories,
        isthing=categories >= stuff,
        iscrowd=torch.zeros_like(categories),
        image_id=i,
    )
