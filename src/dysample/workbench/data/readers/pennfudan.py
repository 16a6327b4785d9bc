"""Penn-Fudan pedestrians with instance masks.

Wang et al.: Object Detection Combining Recognition and Segmentation, ACCV 2007. The data set has no
split of its own: every fifth image by name, 34 of 170, is for validation.
"""

from pathlib import Path

from dysample.workbench.data.annotations import read_objects
from dysample.workbench.data.dataset import Classes, DataSet
from dysample.workbench.data.reader import Reader, pair_files
from dysample.workbench.data.targets import InstanceTarget

NAME = "pennfudan"
CLASSES = Classes(("pedestrian",), frozenset({0}))
_EVERY = 5


def open_split(folder: Path, split: str) -> DataSet[InstanceTarget]:
    """Images with their masks, from PNGImages and PedMasks or from images and masks."""
    if (folder / "PNGImages").is_dir():
        items, notes = pair_files(folder / "PNGImages", folder / "PedMasks", "_mask.png")
    else:
        items, notes = pair_files(folder / "images", folder / "masks")
    kept = [item for item in items if (item.image_id % _EVERY == _EVERY - 1) == (split == "val")]
    # Both splits lie in one folder: what it holds besides is said once.
    notes = notes if split == "train" else ()
    return DataSet(NAME, "instance", split, CLASSES, kept, read_objects, notes=notes)


READER = Reader(
    NAME,
    "instance",
    "PNGImages/*.png, PedMasks/*_mask.png; or images/*, masks/*.png",
    open_split,
)
