"""List the images of a folder, and what is skipped."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeAlias

from dysample.workbench.data.images import SUFFIXES

Notes: TypeAlias = tuple[str, ...]

NAMED = 3
"""How many of the skipped files are named."""

_SYSTEM_FILES = (".DS_Store", "Thumbs.db", "desktop.ini")


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
