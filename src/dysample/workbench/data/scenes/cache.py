"""Sets of frames, rendered once and kept in a file of numpy's, whose zip has checksums."""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

import numpy as np

from dysample.files import whole_file
from dysample.numeric import check_int
from dysample.workbench.folders import locked

from .arrays import Bytes, Floats
from .render import SMALLEST, VERSION, render_frame

logger = logging.getLogger(__name__)

LARGEST_SET = 1_000_000
"""Frames that a split can hold, and the index of the first frame of the validation split."""

_FIRST_INDEX = {"train": 0, "val": LARGEST_SET}


@dataclass(frozen=True)
class Scenes:
    """N frames of H x W pixels, as in `Frame`.

    `image` (N, H, W, 3) uint8, RGB; `depth` (N, H, W) float32, metres along the optical axis;
    `semantic` (N, H, W) uint8, positions in `CLASSES`; `instance` (N, H, W) uint8, 0 for floor,
    wall and ceiling.
    """

    image: Bytes
    depth: Floats
    semantic: Bytes
    instance: Bytes

    def __getitem__(self, frames: slice) -> "Scenes":
        """Return some of the frames."""
        return Scenes(*(getattr(self, one.name)[frames] for one in fields(self)))


class _DamagedError(Exception):
    """A cache file that does not hold what its name says."""


def load_scenes(
    split: Literal["train", "val"],
    count: int,
    size: int = 64,
    seed: int = 0,
    cache: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Scenes:
    """Return the first `count` frames, `size` x `size` pixels, of a split of the data set `seed`.

    The first call renders them into a file of the folder `cache`, by default `$DYSAMPLE_CACHE`,
    else `$XDG_CACHE_HOME/dysample`, else `~/.cache/dysample`; later calls read the file. A damaged
    file is rendered again. Processes that ask for the same frames at once wait for the first.
    Training and validation frames never coincide. While rendering, `progress(done, total)` is
    called after every frame.

    Raises ValueError for another split, a `count` below 1 or above 1,000,000, a `size` below 8 or a
    negative `seed`; TypeError for arguments of a wrong type; OSError where the folder is not
    writable.
    """
    if split not in list(_FIRST_INDEX):  # a list takes unhashable values too
        raise ValueError(f"`split` (={split!r}) must be 'train' or 'val'")
    count = check_int("count", count, 1, LARGEST_SET)
    size, seed = check_int("size", size, SMALLEST), check_int("seed", seed, 0)
    if not isinstance(cache, str | os.PathLike | None):
        raise TypeError(f"`cache` (={cache!r}) must be a path")
    folder = cache_folder() if cache is None else Path(cache)
    path = folder / f"scenes-v{VERSION}-{split}-seed{seed}-{size}px-{count}.npz"
    with kept_in_cache(folder) if cache is None else nullcontext():
        with suppress(FileNotFoundError, _DamagedError):
            return _read(path, count, size)
        folder.mkdir(parents=True, exist_ok=True)
        with locked(Path(f"{path}.lock")):
            try:  # Another process may have written it while this one waited.
                return _read(path, count, size)
            except FileNotFoundError:
                pass
            except _DamagedError as damage:
                logger.warning("%s is damaged (%s): rendering it again", path, damage)
            scenes = _render(_FIRST_INDEX[split], count, size, seed, progress)
            with whole_file(path) as file:
                np.savez(file, **vars(scenes))
    return scenes


@contextmanager
def kept_in_cache(folder: Path) -> Iterator[None]:
    """Errors of the system say how another folder is chosen for what is kept in the cache."""
    try:
        yield
    except OSError as error:
        if error.strerror is None:  # which says more already
            raise
        raise OSError(
            f"`DYSAMPLE_CACHE` must name a folder that can be written: {folder} is where scenes"
            f" are kept, and {error.filename or folder}: {error.strerror}"
        ) from error


def cache_folder() -> Path:
    """`$DYSAMPLE_CACHE`, else `$XDG_CACHE_HOME/dysample`, else `~/.cache/dysample`."""
    if chosen := os.environ.get("DYSAMPLE_CACHE"):
        return Path(chosen)
    if chosen := os.environ.get("XDG_CACHE_HOME"):
        return Path(chosen) / "dysample"
    try:
        return Path.home() / ".cache" / "dysample"
    except RuntimeError as error:
        raise OSError(f"`DYSAMPLE_CACHE` must name a folder for scenes: {error}") from error


def _render(
    first: int,
    count: int,
    size: int,
    seed: int,
    progress: Callable[[int, int], None] | None,
) -> Scenes:
    scenes = _empty(count, size)
    for number in range(count):
        frame = render_frame(seed, first + number, size)
        for name, array in vars(scenes).items():
            array[number] = getattr(frame, name)
        if progress is not None:
            progress(number + 1, count)
    return scenes


def _empty(count: int, size: int) -> Scenes:
    shape = (count, size, size)
    return Scenes(
        image=np.empty((*shape, 3), np.uint8),
        depth=np.empty(shape, np.float32),
        semantic=np.empty(shape, np.uint8),
        instance=np.empty(shape, np.uint8),
    )


def _read(path: Path, count: int, size: int) -> Scenes:
    """Read a file; raise _DamagedError if it does not hold the arrays of such a set."""
    with path.open("rb") as file:
        try:
            with np.load(file) as arrays:
                scenes = Scenes(**arrays)
        except Exception as error:  # of whatever kind damaged bytes lead to
            raise _DamagedError(repr(error)) from error
    for name, wanted in vars(_empty(count, size)).items():
        found = getattr(scenes, name)
        if (found.shape, found.dtype) != (wanted.shape, wanted.dtype):
            raise _DamagedError(f"{name} is {found.dtype} of shape {found.shape}")
    return scenes
