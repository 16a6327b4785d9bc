"""What a folder holds: the images, and what is passed over."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeAlias

from dysample.workbench.data.images import SUFFIXES

Notes: TypeAlias = tuple[str, ...]

NAMED = 3
"""So many of the things that are passed over are named."""

_SYSTEM_FILES = (".DS_Store", "Thumbs.db", "desktop.ini")


def list_images(folder: Path) -> list[Path]:
    """The images of a folder by their names' endings, sorted; not those of folders in it.

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
    """What a folder holds, or some paths, sorted and without what operating systems leave there.

    macOS puts a file ``._NAME`` beside each file that it copies to a foreign disk.
    """
    every = paths.iterdir() if isinstance(paths, Path) else paths
    return sorted(
        path for path in every if not path.name.startswith("._") and path.name not in _SYSTEM_FILES
    )


def passed_over(folder: Path, used: Iterable[Path], why: str) -> Notes:
    """A line that counts and names what a folder holds besides some files; none if there is none.

    Args:
        folder: that exists.
        used: files of it that are not passed over.
        why: the others are, "no images".
    """
    known = {path.name for path in used}
    others = [path for path in visible(folder) if path.name not in known]
    return note([path.name + "/" * path.is_dir() for path in others], folder, why)


def note(names: Sequence[str], where: Path, why: str) -> Notes:
    """A line that counts and names what is passed over; none for no names.

    Args:
        names: of what is passed over.
        where: folder or file that holds it.
        why: it is, "no images".
    """
    if not names:
        return ()
    shown = ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")
    return (f"passed over in {where}, {why}: {len(names)} ({shown})",)
