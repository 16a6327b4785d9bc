"""Files that are whole or absent, and folders that one command has for itself."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock, Timeout


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write to that takes the place of `path` once it is complete and on the disk.

    It is written beside `path` under another name, flushed, and renamed. If the writing fails,
    or the process dies, whatever was at `path` is still there.
    """
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def sweep(folder: Path) -> None:
    """Remove what writers to `whole_file` left that were killed; none may be at work."""
    for path in folder.glob(".*.part"):
        path.unlink()


@contextmanager
def alone_in(folder: Path, patience: float = 0) -> Iterator[None]:
    """A folder that is there, and that no other comparison or training uses meanwhile.

    Two in one folder would train the same runs over each other's checkpoints.

    Args:
        folder: made if it is not there.
        patience: seconds to wait for another process to leave it.

    Raises:
        ValueError: another process uses it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock", timeout=patience)
    try:
        lock.acquire()
    except Timeout:
        raise ValueError(f"`output` (={folder}) is in use by another run of dysample") from None
    try:
        yield
    finally:
        lock.release()
