"""ADE20K for scene parsing, 150 classes, as the archive ADEChallengeData2016 unpacks.

Zhou et al.: Scene Parsing through ADE20K Dataset, CVPR 2017.
"""

from pathlib import Path

from torchvision.tv_tensors import Mask

from dysample.workbench.data.annotations import LabelCode
from dysample.workbench.data.dataset import Classes, DataSet
from dysample.workbench.data.reader import Reader, pair_files, read_lines
from dysample.workbench.metrics.boundary import IGNORE

NAME = "ade20k"
COUNT = 150
CLASS_FILE = "objectInfo150.txt"
_FOLDERS = {"train": "training", "val": "validation"}

# 0 is "other objects": in no class of the benchmark.
_CODE = LabelCode(
    {0: IGNORE, **{value: value - 1 for value in range(1, COUNT + 1)}},
    f"1 to {COUNT}, or 0 for other objects",
)


def open_split(folder: Path, split: str) -> DataSet[Mask]:
    """Images with the annotations of the same stem; the class names are read from the archive."""
    part = _FOLDERS[split]
    items, notes = pair_files(folder / "images" / part, folder / "annotations" / part)
    classes = _read_classes(folder / CLASS_FILE)
    return DataSet(NAME, "semantic", split, classes, items, _CODE.read, notes=notes)


def _read_classes(path: Path) -> Classes:
    """Read the class names from a tab-separated table with a heading; the last column counts."""
    lines = read_lines(path, "class list")[1:]
    # "building" of "building, edifice".
    names = tuple(line.split("\t")[-1].split(",")[0].strip() for line in lines)
    if len(names) != COUNT:
        raise ValueError(f"class list {path} must hold {COUNT} classes, but holds {len(names)}")
    return Classes(names)


READER = Reader(
    NAME,
    "semantic",
    "images/{training,validation}/*.jpg, annotations/{training,validation}/*.png,"
    f" {CLASS_FILE}",
    open_split,
)
