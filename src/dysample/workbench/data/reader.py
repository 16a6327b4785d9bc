"""Shared parts of the readers: a layout on disk, the files in it, and what is skipped."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias
from unicodedata import category

from dysample.workbench.data.dataset import DataSet, Item
from dysample.workbench.data.images import SUFFIXES
from dysample.workbench.data.targets import Kind

SPLITS = ("train", "val")

Notes: TypeAlias = tuple[str, ...]

NAMED = 3
"""How many of the skipped files are named."""

_SYSTEM_FILES = (".DS_Store", "Thumbs.db", "desktop.ini")


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


def list_images(folder: Path) -> list[Path]:
    """List the images of a folder by suffix, sorted; subfolders are not searched.

    Raises:
        FileNotFoundError: no such folder.
        ValueError: a folder without images.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"folder {folder} does not exist")
    found = [path for path in visible(folder) if path.suffix.lower() in SUFFIXES]
    if not found:
        known = ", ".join(SUFFIXES)
        raise ValueError(f"folder {folder} must hold images ({known}), but has none")
    return found


def visible(paths: Path | Iterable[Path]) -> list[Path]:
    """Return a folder's contents, or some paths, sorted and without files of operating systems.

    macOS puts a file ``._NAME`` beside each file that it copies to a foreign disk.
    """
    every = paths.iterdir() if isinstance(paths, Path) else paths
    return sorted(
        path for path in every if not path.name.startswith("._") and path.name not in _SYSTEM_FILES
    )


def passed_over(folder: Path, used: Iterable[Path], why: str) -> Notes:
    """Return a line that counts and names the other files of a folder; none if there are none.

    Args:
        folder: that exists.
        used: files of it that are used.
        why: the reason why the others are skipped, "no images".
    """
    known = {path.name for path in used}
    others = [path for path in visible(folder) if path.name not in known]
    return note([path.name + "/" * path.is_dir() for path in others], folder, why)


def note(names: Sequence[str], where: Path, why: str) -> Notes:
    """Return a line that counts and names what is skipped; none for no names.

    Args:
        names: of what is skipped.
        where: folder or file that holds it.
        why: the reason, "no images".
    """
    if not names:
        return ()
    shown = ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")
    return (f"skipped in {where}, {why}: {len(names)} ({shown})",)


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
