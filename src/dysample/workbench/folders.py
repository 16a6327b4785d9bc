"""Exclusive (locked) output folders."""

import errno
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from dysample.files import cleared, named

LOCK = ".lock"

_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


@contextmanager
def alone_in(folder: Path, patience: float = 0) -> Iterator[None]:
    """Create and lock an output folder, so that no other comparison or training uses it.

    Two commands in one folder would overwrite each other's checkpoints. A folder that was created
    here and is still empty at the end is removed.

    Args:
        folder: created if it does not exist.
        patience: seconds to wait for another process to unlock it.

    Raises:
        ValueError: another process uses it, or it is not a folder.
        OSError: it cannot be created or locked.
    """
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"`output` (={folder}) must be a folder")
    with cleared(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = folder / LOCK
        new = not lock.exists()
        try:
            with locked(lock, patience):
                before = set(os.listdir(folder))
                try:
                    with named(folder):
                        yield
                finally:
                    if new and set(os.listdir(folder)) <= before:
                        lock.unlink()
        except Timeout:
            raise ValueError(f"`output` (={folder}) is in use by another run of dysample") from None


@contextmanager
def undone(folder: Path, names: Iterable[str], kept: str) -> Iterator[None]:
    """Remove the new files of a folder if the context raises, unless it is interrupted.

    Args:
        folder: removed too if it is empty then.
        names: of the files and folders in it.
        kept: name of a file with which the rest is worth keeping.
    """
    new = [folder / name for name in names if not (folder / name).exists()]
    try:
        yield
    except Exception:
        if not (folder / kept).exists():
            for path in new:
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)
            with suppress(OSError):
                folder.rmdir()
        raise


@contextmanager
def locked(path: Path, patience: float = -1) -> Iterator[None]:
    """Create a file and lock it.

    Args:
        path: of the file.
        patience: seconds to wait for another process; negative for as long as it takes.

    Raises:
        Timeout: another process holds it.
        OSError: the file cannot be created, or its file system has no locks.
    """
    lock = FileLock(path, timeout=patience)
    try:
        with named(path):
            lock.acquire()
    except (OSError, NotImplementedError) as error:
        if isinstance(error, Timeout) or getattr(error, "errno", None) not in (None, *_NO_LOCKS):
            raise
        raise OSError(
            f"folder {path.parent} must be on a file system that has locks: {error}"
        ) from error
    try:
        yield
    finally:
        lock.release()
