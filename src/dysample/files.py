"""Files that are whole or absent, whatever happens while they are written; errors with names."""

import glob
import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

if sys.platform != "win32":
    import fcntl


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write to that takes the place of `path` once it is complete and on the disk.

    It is written beside `path` under another name, flushed, and renamed. If the writing fails,
    or the process dies, whatever was at `path` is still there; what a killed writer of it left
    is removed by the next one.

    Raises:
        OSError: naming `path`, which cannot be written.
    """
    # Not by tempfile, whose files nobody else may read: the page of a report is for others too.
    temporary = _beside(path)
    try:
        with named(path, temporary):
            temporary.touch(exist_ok=False)
            with _held(temporary):
                with temporary.open("wb") as file:
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

    If one cannot be written, `folder` is as it was: not there, if it had to be made. What a
    killed writer left in it is removed by the next one.

    Raises:
        OSError: naming the file or folder that cannot be written.
    """
    with cleared(folder):
        folder.mkdir(parents=True, exist_ok=True)
        temporary = _beside(folder / "files")
        try:
            temporary.mkdir()
            with _held(temporary):
                yield temporary
                found = sorted(temporary.iterdir())
                for path in found:
                    if (folder / path.name).is_dir():
                        raise IsADirectoryError(
                            f"{folder / path.name} must be a file, not a folder"
                        )
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
    """Remove what killed writers of whole files left in a folder; those at work keep theirs."""
    _remove_left(folder, ".")


def _beside(path: Path) -> Path:
    """Short whatever the name of `path`, which may be as long as names can be; no other is left."""
    name = f".{path.name[:32]}."
    _remove_left(path.parent, name)
    return path.with_name(f"{name}{secrets.token_hex(4)}.part")


def _remove_left(folder: Path, name: str) -> None:
    """Remove parts of no writer at work, where locks tell that."""
    with suppress(OSError):
        for path in folder.glob(f"{glob.escape(name)}*.part"):
            with suppress(OSError):
                if sys.platform == "win32":
                    path.unlink()  # refused if it is open
                else:
                    with _opened(path) as number:
                        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        (shutil.rmtree if path.is_dir() else os.unlink)(path)


@contextmanager
def _held(path: Path) -> Iterator[None]:
    """Show that a part is being written, until this ends or its process does."""
    with ExitStack() as stack:
        if sys.platform != "win32":
            with suppress(OSError):  # too many open files, a file system without locks
                number = stack.enter_context(_opened(path))
                fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    number = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        yield number
    finally:
        os.close(number)
