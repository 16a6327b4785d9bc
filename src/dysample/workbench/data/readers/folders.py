"""Folders of images and of masks with one class index a pixel: the layout for data of one's own."""

from pathlib import Path

from torchvision.tv_tensors import Mask

from dysample.workbench.data.dataset import Classes, DataSet
from dysample.workbench.data.labels import LabelCode
from dysample.workbench.data.reader import Reader, pair_files, read_lines
from dysample.workbench.data.targets import IGNORE

NAME = "folders"
CLASS_FILE = "classes.txt"


def open_split(folder: Path, split: str) -> DataSet[Mask]:
    """Images with the masks of the same stem; value i is the class in line i, from 0."""
    items = pair_files(folder / "images" / split, folder / "masks" / split)
    names = _read_names(folder / CLASS_FILE)
    code = LabelCode.plain(len(names))
    return DataSet(NAME, "semantic", split, Classes(names), items, code.read)


def _read_names(path: Path) -> tuple[str, ...]:
    if not path.is_file():
        raise FileNotFoundError(
            f"class list {path} does not exist; it must hold one class name a line, that of value 0"
            " first"
        )
    names = tuple(read_lines(path, "class list"))
    if not names or "" in names or len(set(names)) < len(names):
        raise ValueError(f"class list {path} must hold one class name a line, each once")
    if len(names) > IGNORE:
        raise ValueError(f"class list {path} must hold at most 255 names, but holds {len(names)}")
    return names


READER = Reader(
    NAME,
    "semantic",
    f"images/{{train,val}}/*.jpg or .png, masks/{{train,val}}/*.png, {CLASS_FILE}",
    open_split,
)
