"""Pascal VOC 2012 segmentation, 20 classes and background, as VOCtrainval_11-May-2012 unpacks.

Everingham et al.: The Pascal Visual Object Classes Challenge: A Retrospective, IJCV 2015.
"""

from pathlib import Path

from torchvision.tv_tensors import Mask

from dysample.workbench.data.annotations import LabelCode
from dysample.workbench.data.dataset import Classes, DataSet, Item
from dysample.workbench.data.reader import MissingSplitError, Reader, check_unshared, read_lines

NAME = "voc"
_NAMES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair",
    "cow", "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa",
    "train", "tvmonitor",
)  # fmt: skip
_CODE = LabelCode.plain(len(_NAMES), rule="0 to 20, or 255 for the rim of an object")
_INSIDE = Path("VOCdevkit/VOC2012")


def _colour(index: int) -> tuple[int, int, int]:
    """The colour of a VOC palette: bits 0, 3, 6 make red, 1, 4, 7 green, 2, 5, 8 blue."""
    red, green, blue = (
        sum((index >> (3 * place + channel) & 1) << (7 - place) for place in range(3))
        for channel in range(3)
    )
    return red, green, blue


CLASSES = Classes(
    _NAMES,
    frozenset(range(1, len(_NAMES))),
    tuple(_colour(index) for index in range(len(_NAMES))),
)


def open_split(folder: Path, split: str) -> DataSet[Mask]:
    """The images that ImageSets/Segmentation lists."""
    base = folder / _INSIDE
    listed = base / "ImageSets" / "Segmentation" / f"{split}.txt"
    if not listed.is_file():
        raise MissingSplitError(f"list {listed} does not exist")
    stems = read_lines(listed, "list")
    if not stems:
        raise ValueError(f"list {listed} must name images, but is empty")
    items = [
        Item(base / "JPEGImages" / f"{stem}.jpg", base / "SegmentationClass" / f"{stem}.png", i)
        for i, stem in enumerate(stems)
    ]
    check_unshared(items)  # a name that is listed twice
    return DataSet(NAME, "semantic", split, CLASSES, items, _CODE.read)


READER = Reader(
    NAME,
    "semantic",
    f"in {_INSIDE}: ImageSets/Segmentation/{{train,val}}.txt, JPEGImages/*.jpg,"
    " SegmentationClass/*.png",
    open_split,
)
