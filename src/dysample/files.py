"""Files that are whole or absent, whatever happens while they are written; errors with names."""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write to that takes the place of `path` once it is complete and on the disk.

    It is written beside `path` under another name, flushed, and renamed. If the writing fails,
    or the process dies, whatever was at `path` is still there.

    Raises:
        OSError: naming `path`, which cannot be written.
    """
    # Not by tempfile, whose files nobody else may read: the page of a report is for others too.
    temporary = _beside(path)
    try:
        with named(path, temporary):
            with temporary.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def whole_files(folder: Path) -> Iterator[Path]:
    """A folder to write to whose files are moved into `folder` once all of them are complete.

    If one cannot be written, `folder` is as it was: not there, if it had to be made.

    Raises:
        OSError: naming the file or folder that cannot be written.
    """
    with cleared(folder):
        folder.mkdir(parents=True, exist_ok=True)
        temporary = _beside(folder / "files")
        try:
            temporary.mkdir()
            yield temporary
            found = sorted(temporary.iterdir())
            for path in found:
                if (folder / path.name).is_dir():
                    raise IsADirectoryError(f"{folder / path.name} must be a file, not a folder")
            for path in found:
                os.replace(path, folder / path.name)
        except OSError as error:
            if error.filename is None or Path(error.filename).parent != temporary:
                raise
            name = folder / Path(error.filename).name
            raise OSError(error.errno, error.strerror, str(name)) from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def cleared(folder: Path) -> Iterator[None]:
    """Remove `folder` again, and those above it, if they are made meanwhile and stay empty."""
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        yield
    finally:
        for path in made:
            try:
                path.rmdir()
            except OSError:  # it holds something, or was never made
                break


@contextmanager
def named(path: Path, *stand_ins: Path) -> Iterator[None]:
    """Errors of the system say which file they are about; those of reads and writes do not.

    Args:
        path: that they are about.
        stand_ins: names that a user never sees.

    Raises:
        OSError: naming `path`.
    """
    try:
        yield
    except OSError as error:
        if error.filename is not None and error.filename not in map(str, stand_ins):
            raise
        if error.strerror is None:  # of a library, or in words of our own
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def sweep(folder: Path) -> None:
    """Remove what writers of whole files left that were killed; none may be at work."""
    for path in folder.glob(".*.part"):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _beside(path: Path) -> Path:
    """Short whatever the name of `path`, which may be as long as names can be."""
    return path.with_name(f".{path.name[:32]}.{secrets.token_hex(4)}.part")
