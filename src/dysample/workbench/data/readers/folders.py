"""Folders of images and of maps with one value per pixel: the layouts for your own data.

A map holds class indices (`folders`, `binary`), depths (`folders_depth`) or numbers of objects
(`folders_instance`); a text file beside the folders says what the values mean. Masks of one thing
on a ground are often written as 0 and 255, black and white: `binary` takes 255 for the second
class, `folders` for none.
"""

from functools import partial
from pathlib import Path
from reprlib import repr as shorten

from torchvision.tv_tensors import Mask

from dysample.workbench.data.annotations import LabelCode, read_depth, read_objects
from dysample.workbench.data.dataset import Classes, DataSet, Item
from dysample.workbench.data.reader import Notes, Reader, is_name, pair_files, read_lines
from dysample.workbench.data.targets import InstanceTarget
from dysample.workbench.metrics.boundary import IGNORE

CLASS_FILE = "classes.txt"
UNIT_FILE = "depth_unit.txt"

# Millionths of a metre are those of endoscopes. Above 1 it is what others call a scale: values a
# metre, 1000 or 5000.
_UNITS = (1e-6, 1.0)

_WHITE = LabelCode(
    {0: 0, 255: 1}, "0 or 255 for the first and the second class (`folders` reads 0 and 1)"
)


def open_indices(folder: Path, split: str) -> DataSet[Mask]:
    """Images with the masks of the same stem; value i is the class in line i, from 0."""
    items, notes = _pair(folder, split, "masks")
    names = _read_names(folder / CLASS_FILE)
    read = LabelCode.plain(len(names)).read
    return DataSet("folders", "semantic", split, Classes(names), items, read, notes=notes)


def open_binary(folder: Path, split: str) -> DataSet[Mask]:
    """List images with the masks of the same stem, for two classes, of which 255 is the second."""
    items, notes = _pair(folder, split, "masks")
    names = _read_names(folder / CLASS_FILE)
    if len(names) != 2:
        raise ValueError(
            f"class list {folder / CLASS_FILE} must hold 2 names, but holds {len(names)}"
        )
    return DataSet("binary", "semantic", split, Classes(names), items, _WHITE.read, notes=notes)


def open_depth(folder: Path, split: str) -> DataSet[Mask]:
    """List images with the depth maps of the same stem, which count in the unit of `UNIT_FILE`."""
    items, notes = _pair(folder, split, "depths")
    read = partial(read_depth, unit=_read_unit(folder / UNIT_FILE))
    return DataSet("folders_depth", "depth", split, Classes(), items, read, notes=notes)


def open_instances(folder: Path, split: str) -> DataSet[InstanceTarget]:
    """List images with the maps of the same stem that number the objects of one class."""
    items, notes = _pair(folder, split, "instances")
    names = _read_names(folder / CLASS_FILE, "one name, that of every object's class")
    if len(names) != 1:
        raise ValueError(
            f"class list {folder / CLASS_FILE} must hold 1 name, that of every object's class, but"
            f" holds {len(names)} (`coco_instance` reads objects of several classes)"
        )
    classes = Classes(names, frozenset({0}))
    return DataSet("folders_instance", "instance", split, classes, items, read_objects, notes=notes)


def _pair(folder: Path, split: str, maps: str) -> tuple[list[Item], Notes]:
    return pair_files(folder / "images" / split, folder / maps / split)


def _read_unit(path: Path) -> float:
    rule = "the metres of value 1, such as 0.001 where depths are millimetres"
    if not path.is_file():
        raise FileNotFoundError(f"depth unit {path} does not exist; it must hold {rule}")
    text = "\n".join(read_lines(path, "depth unit"))
    try:
        # Python reads 0_001 as 1.
        unit = float("nan" if "_" in text else text)
    except ValueError:
        unit = float("nan")
    lowest, highest = _UNITS
    if not lowest <= unit <= highest:
        raise ValueError(
            f"depth unit {path} must hold {rule}, one number from {lowest:f} to {highest:g}, but"
            f" holds {shorten(text)}"
        )
    return unit


def _read_names(
    path: Path, rule: str = "one class name a line, that of value 0 first"
) -> tuple[str, ...]:
    if not path.is_file():
        raise FileNotFoundError(f"class list {path} does not exist; it must hold {rule}")
    names = tuple(read_lines(path, "class list"))
    if not names or not all(map(is_name, names)) or len(set(names)) < len(names):
        raise ValueError(f"class list {path} must hold one class name a line, each once")
    if len(names) > IGNORE:
        raise ValueError(f"class list {path} must hold at most 255 names, but holds {len(names)}")
    return names


_LAYOUT = f"images/{{train,val}}/*, masks/{{train,val}}/*.png, {CLASS_FILE}"
INDICES = Reader("folders", "semantic", _LAYOUT, open_indices)
BINARY = Reader("binary", "semantic", _LAYOUT, open_binary)
DEPTH = Reader(
    "folders_depth",
    "depth",
    f"images/{{train,val}}/*, depths/{{train,val}}/*.png, {UNIT_FILE}",
    open_depth,
)
INSTANCES = Reader(
    "folders_instance",
    "instance",
    f"images/{{train,val}}/*, instances/{{train,val}}/*.png, {CLASS_FILE}",
    open_instances,
)
