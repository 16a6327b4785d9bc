"""Folders of images and of masks with one class index per pixel: the layouts for your own data.

Masks of one thing on a ground are often written as 0 and 255, black and white: `binary` takes 255
for the second class, `folders` for none.
"""

from pathlib import Path

from torchvision.tv_tensors import Mask

from dysample.workbench.boundary import IGNORE
from dysample.workbench.data.annotations import LabelCode
from dysample.workbench.data.dataset import Classes, DataSet, Item
from dysample.workbench.data.reader import Notes, Reader, is_name, pair_files, read_lines

CLASS_FILE = "classes.txt"

_WHITE = LabelCode(
    {0: 0, 255: 1}, "0 or 255 for the first and the second class (`folders` reads 0 and 1)"
)


def open_indices(folder: Path, split: str) -> DataSet[Mask]:
    """Images with the masks of the same stem; value i is the class in line i, from 0."""
    items, notes = _pair(folder, split)
    names = _read_names(folder / CLASS_FILE)
    read = LabelCode.plain(len(names)).read
    return DataSet("folders", "semantic", split, Classes(names), items, read, notes=notes)


def open_binary(folder: Path, split: str) -> DataSet[Mask]:
    """List images with the masks of the same stem, for two classes, of which 255 is the second."""
    items, notes = _pair(folder, split)
    names = _read_names(folder / CLASS_FILE)
    if len(names) != 2:
        raise ValueError(
            f"class list {folder / CLASS_FILE} must hold 2 names, but holds {len(names)}"
        )
    return DataSet("binary", "semantic", split, Classes(names), items, _WHITE.read, notes=notes)


def _pair(folder: Path, split: str) -> tuple[list[Item], Notes]:
    return pair_files(folder / "images" / split, folder / "masks" / split)


def _read_names(path: Path) -> tuple[str, ...]:
    if not path.is_file():
        raise FileNotFoundError(
            f"class list {path} does not exist; it must hold one class name a line, that of value 0"
            " first"
        )
    names = tuple(read_lines(path, "class list"))
    if not names or not all(map(is_name, names)) or len(set(names)) < len(names):
        raise ValueError(f"class list {path} must hold one class name a line, each once")
    if len(names) > IGNORE:
        raise ValueError(f"class list {path} must hold at most 255 names, but holds {len(names)}")
    return names


_LAYOUT = f"images/{{train,val}}/*, masks/{{train,val}}/*.png, {CLASS_FILE}"
INDICES = Reader("folders", "semantic", _LAYOUT, open_indices)
BINARY = Reader("binary", "semantic", _LAYOUT, open_binary)
