"""CamVid street scenes in the layout of the SegNet tutorial.

Brostow, Fauqueur, Cipolla: Semantic object classes in video, 2009; the 11 classes and their colours
are those of Badrinarayanan, Kendall, Cipolla: SegNet, 2017.
"""

from pathlib import Path

from torchvision.tv_tensors import Mask

from dysample.workbench.data.annotations import LabelCode
from dysample.workbench.data.dataset import Classes, DataSet
from dysample.workbench.data.reader import Reader, pair_files

NAME = "camvid"
_COLOURS = {
    "sky": (128, 128, 128),
    "building": (128, 0, 0),
    "pole": (192, 192, 128),
    "road": (128, 64, 128),
    "pavement": (60, 40, 222),
    "tree": (128, 128, 0),
    "sign": (192, 128, 128),
    "fence": (64, 64, 128),
    "car": (64, 0, 128),
    "pedestrian": (64, 64, 0),
    "bicyclist": (0, 128, 192),
}
CLASSES = Classes(tuple(_COLOURS), palette=tuple(_COLOURS.values()))

_CODE = LabelCode.plain(11, void=(11, 255), rule="0 to 10, or 11 or 255 for void")


def open_split(folder: Path, split: str) -> DataSet[Mask]:
    """Images of `split` with the annotations of the same stem."""
    items, notes = pair_files(folder / split, folder / f"{split}annot")
    return DataSet(NAME, "semantic", split, CLASSES, items, _CODE.read, notes=notes)


READER = Reader(NAME, "semantic", "{train,val}/*.jpg, {train,val}annot/*.png", open_split)
