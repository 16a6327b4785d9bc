"""Sets of frames, rendered once and kept in a file.

A file is one line of JSON (the shape of the set, the length and the CRC-32 of the rest) followed by
the bytes of depth, image, semantic and instance, little-endian, in C order.
"""

import json
import logging
import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from dysample.files import named, whole_file
from dysample.workbench.folders import locked

from . import checks
from .arrays import Bytes, Floats
from .render import VERSION, render_frame

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
    count = checks.between("count", count, 1, LARGEST_SET)
    size, seed = checks.at_least("size", size, checks.SMALLEST), checks.at_least("seed", seed, 0)
    folder = cache_folder() if cache is None else checks.path("cache", cache)
    path = folder / f"scenes-v{VERSION}-{split}-seed{seed}-{size}px-{count}.bin"
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
            _write(path, scenes)
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
    scenes = _split(np.empty(_length(count, size), np.uint8), count, size)
    for number in range(count):
        frame = render_frame(seed, first + number, size)
        scenes.image[number] = frame.image
        scenes.depth[number] = frame.depth
        scenes.semantic[number] = frame.semantic
        scenes.instance[number] = frame.instance
        if progress is not None:
            progress(number + 1, count)
    return scenes


def _length(count: int, size: int) -> int:
    """Return the number of bytes of a set: 4 of depth, 3 of image and 2 of labels a pixel."""
    return 9 * count * size * size


def _split(payload: Bytes, count: int, size: int) -> Scenes:
    """Return the arrays that lie one after the other in `payload`, without a copy."""
    pixels = count * size * size
    # Depth first: float32 wants an address that is a multiple of 4.
    depth, image, semantic, instance = np.split(payload, [4 * pixels, 7 * pixels, 8 * pixels])
    shape = (count, size, size)
    return Scenes(
        image=image.reshape(*shape, 3),
        depth=depth.view("<f4").reshape(shape),
        semantic=semantic.reshape(shape),
        instance=instance.reshape(shape),
    )


def _parts(scenes: Scenes) -> list[Bytes]:
    arrays = (scenes.depth, scenes.image, scenes.semantic, scenes.instance)
    return [array.reshape(-1).view(np.uint8) for array in arrays]


def _write(path: Path, scenes: Scenes) -> None:
    """Write the file as a whole or not at all."""
    checksum = 0
    for part in _parts(scenes):
        checksum = zlib.crc32(part.data, checksum)
    count, size = scenes.depth.shape[:2]
    header = {"count": count, "size": size, "bytes": _length(count, size), "crc32": checksum}
    with whole_file(path) as file:
        file.write(json.dumps(header).encode() + b"\n")
        for part in _parts(scenes):
            file.write(part.data)


def _read(path: Path, count: int, size: int) -> Scenes:
    """Read a file; raise _DamagedError if it is not exactly what `_write` wrote."""
    length = _length(count, size)
    with named(path), path.open("rb") as file:
        try:
            header = json.loads(file.readline())
        except ValueError:
            raise _DamagedError("no header") from None
        payload = np.empty(length, np.uint8)
        if file.readinto(payload.data) != length or file.read(1):
            raise _DamagedError("wrong length")
    checksum = zlib.crc32(payload.data)
    if header != {"count": count, "size": size, "bytes": length, "crc32": checksum}:
        raise _DamagedError("wrong checksum")
    return _split(payload, count, size)
