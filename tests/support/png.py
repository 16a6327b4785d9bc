"""PNG files written from the specification, of every depth and kind that an encoder may choose."""

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np

GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6

# Adam7: first row and column, and steps, of each pass.
_PASSES = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2),
           (1, 0, 2, 1))  # fmt: skip


def write_raw_png(
    path: Path, values: Any, bits: int, kind: int = GREY, interlaced: bool = False
) -> None:
    """A PNG that stores samples as they are.

    Args:
        path: of the file.
        values: (H, W) or (H, W, channels), each below 2**bits.
        bits: of a sample.
        kind: `GREY`, `PALETTE` and so on.
        interlaced: by Adam7.
    """
    samples = np.atleast_3d(np.asarray(values))
    height, width, _ = samples.shape
    parts = [samples]
    if interlaced:
        parts = [samples[top::down, left::right] for top, left, down, right in _PASSES]
    rows = b"".join(_row(row, bits) for part in parts if part.size for row in part)
    head = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, interlaced)
    palette = _chunk(b"PLTE", bytes(3 * 2**bits)) if kind == PALETTE else b""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + palette
        + _chunk(b"IDAT", zlib.compress(rows)) + _chunk(b"IEND", b"")
    )  # fmt: skip


def _row(row: Any, bits: int) -> bytes:
    """A line without a filter; samples of few bits share a byte, the first one in its high bits."""
    samples = row.ravel().tolist()
    if bits == 16:
        return b"\0" + struct.pack(f">{len(samples)}H", *samples)
    digits = "".join(f"{value:0{bits}b}" for value in samples)
    digits += "0" * (-len(digits) % 8)
    return b"\0" + bytes(int(digits[i : i + 8], 2) for i in range(0, len(digits), 8))


def _chunk(name: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content)) + name + content
        + struct.pack(">I", zlib.crc32(name + content))
    )  # fmt: skip
