"""Folders that one command has for itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout


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
