"""Files that are whole or absent, whatever happens while they are written."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write to that takes the place of `path` once it is complete and on the disk.

    It is written beside `path` under another name, flushed, and renamed. If the writing fails,
    or the process dies, whatever was at `path` is still there.
    """
    # Not by tempfile, whose files nobody else may read: the page of a report is for others too.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def sweep(folder: Path) -> None:
    """Remove what writers to `whole_file` left that were killed; none may be at work."""
    for path in folder.glob(".*.part"):
        path.unlink()
