"""Shared parts of the readers: a layout on disk, and pairs of files in it."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unicodedata import category

from dysample.workbench.data.dataset import DataSet, Item
from dysample.workbench.data.listing import Notes, list_images, passed_over
from dysample.workbench.data.targets import Kind

SPLITS = ("train", "val")


class MissingSplitError(FileNotFoundError):
    """The folder or list of a split does not exist."""


@dataclass(frozen=True)
class Reader:
    """A layout on disk, and how to read it.

    Attributes:
        name: for ``NAME:PATH``.
        kind: of the targets.
        layout: the files that are expected below PATH, in one line.
        open: lists a split of a folder; `SPLITS` are the splits.
    """

    name: str
    kind: Kind
    layout: str
    open: Callable[[Path, str], DataSet[Any]]


def split_folder(folder: Path) -> Path:
    """Return `folder`, which holds a split, if it exists.

    Raises:
        MissingSplitError: it does not exist.
    """
    if not folder.is_dir():
        raise MissingSplitError(f"folder {folder} does not exist")
    return folder


def is_name(text: str) -> bool:
    """Whether a text can be a name: not blank, and without control characters."""
    return bool(text.strip()) and not any(category(c) in ("Cc", "Cs") for c in text)


def read_lines(path: Path, what: str) -> list[str]:
    """Read the lines of a text file, stripped.

    Args:
        path: file.
        what: it is, for messages.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not UTF-8.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{what} {path} does not exist")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{what} {path} must be UTF-8 text: {error}") from error
    return [line.strip() for line in text.strip().splitlines()]


def pair_files(images: Path, annotations: Path, ending: str = ".png") -> tuple[list[Item], Notes]:
    """Pair every image of a folder with the annotation of the same stem, sorted by name.

    Args:
        images: folder of the images; the split is missing without it.
        annotations: folder of the annotations.
        ending: of an annotation's name, behind the image's stem.

    Returns:
        The items, and a line for each folder that holds more than their files.

    Raises:
        FileNotFoundError: a folder or an annotation is missing.
        ValueError: no images, or two that share an annotation.
    """
    found = list_images(split_folder(images))
    if not annotations.is_dir():
        raise FileNotFoundError(f"folder {annotations} does not exist")
    items = [
        Item(image, annotations / f"{image.stem}{ending}", number)
        for number, image in enumerate(found)
    ]
    check_unshared(items)
    others = passed_over(images, found, "no images")
    unused = passed_over(annotations, [item.annotation for item in items], "of no image")
    return items, (*others, *unused)


def check_unshared(items: list[Item]) -> None:
    """Raise a ValueError if two images share one annotation file."""
    by_annotation: dict[Path, list[Item]] = defaultdict(list)
    for item in items:
        by_annotation[item.annotation].append(item)
    for annotation, sharing in by_annotation.items():
        if len(sharing) > 1:
            names = " and ".join(item.image.name for item in sharing)
            raise ValueError(
                f"annotation {annotation} must belong to one image, but is shared by {names}"
            )
