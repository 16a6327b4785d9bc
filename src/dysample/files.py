"""Atomic file writes, and errors that name the file."""

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
    """Write a file atomically: it replaces `path` once it is complete and on the disk.

    It is written beside `path` under a temporary name, flushed, and renamed. If the write fails or
    the process dies, `path` is unchanged; the next writer removes what a killed one left.

    Raises:
        OSError: naming `path`, which cannot be written.
    """
    # Not by tempfile, whose files only their owner may read: a report's page is for others too.
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
    """Write several files together: they move into `folder` once all of them are complete.

    If one cannot be written, `folder` is left unchanged, and removed if it was created here. The
    next writer removes what a killed one left.

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
    """Remove `folder` and its parents on exit if they are new and still empty."""
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
    """Add the path to system errors, which reads and writes raise without it.

    Args:
        path: the file to name.
        stand_ins: temporary names, to be replaced by `path`.

    Raises:
        OSError: naming `path`.
    """
    try:
        yield
    except OSError as error:
        if error.filename is not None and error.filename not in map(str, stand_ins):
            raise
        if error.strerror is None:  # raised by a library, or already worded here
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def sweep(folder: Path) -> None:
    """Remove temporary files of killed writers from a folder; active writers keep theirs."""
    _remove_left(folder, ".")


def _beside(path: Path) -> Path:
    """Return a short temporary name beside `path`, whose own name may have the maximum length."""
    name = f".{path.name[:32]}."
    _remove_left(path.parent, name)
    return path.with_name(f"{name}{secrets.token_hex(4)}.part")


def _remove_left(folder: Path, name: str) -> None:
    """Remove temporary files without an active writer, as far as locks tell."""
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
    """Lock a temporary file while it is being written; the lock ends with the process."""
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
