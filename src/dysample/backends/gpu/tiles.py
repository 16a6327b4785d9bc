"""Tiles of the kernels, by layout: a fixed table, so that code, bits and graphs do not change.

Chosen by what the compiler makes of them and by counts of bytes, on no GPU yet: docs/kernels.md.
"""

from __future__ import annotations

from typing import NamedTuple


class Tile(NamedTuple):
    """What a program takes: rows and columns of pixels, channels at a time, and its warps."""

    TY: int
    TX: int
    BC: int
    warps: int


# Two-dimensional tiles reread less of the map. With channels apart (NCHW) a thread has one or two
# pixels side by side; with channels innermost it has some channels of a pixel, in one load.
TILES: dict[str, dict[bool, Tile]] = {
    "sample": {False: Tile(4, 64, 1, 4), True: Tile(8, 8, 16, 4)},
    "slopes": {False: Tile(4, 32, 4, 4), True: Tile(4, 8, 32, 4)},
    "gather": {False: Tile(1, 32, 32, 1), True: Tile(4, 8, 32, 4)},
    "scatter": {False: Tile(4, 32, 4, 4), True: Tile(4, 8, 32, 4)},
    "reach": {False: Tile(8, 64, 1, 4), True: Tile(8, 64, 1, 4)},
    "collect": {False: Tile(1, 32, 32, 1), True: Tile(4, 8, 32, 4)},
    "fold": {False: Tile(4, 64, 1, 4), True: Tile(4, 64, 1, 4)},
    "by_high": {False: Tile(4, 32, 1, 4), True: Tile(1, 1, 128, 1)},
    "by_tap": {False: Tile(4, 32, 1, 4), True: Tile(1, 1, 32, 1)},
    "by_low": {False: Tile(4, 32, 16, 4), True: Tile(1, 4, 64, 2)},
}
"""The tile of each kernel, without and with channels innermost."""

NEAR = 1
"""Low-res pixels from its home within which what an output pixel takes is gathered."""

PROGRAMS = 1024
"""Programs below which a kernel's channels are split among more of them: about 8 for each of the
multiprocessors of a large GPU."""

FEWEST = 16
"""Channels that are worth the positions, which each program computes again."""


PLACES = 16
"""Output pixels of a home pixel, at most, that a thread of a window's kernel has at a time."""

REGISTERS = {False: 104, True: 52}
"""Weights and sums of its places, at most, that it keeps: four places of 5 x 5, or two where it has
several channels, innermost, at a time."""


def places_of(rows: int, columns: int, most: int) -> tuple[int, int]:
    """Return rows and columns of places that are taken together, of those of a home pixel."""
    across = min(columns, most)
    if across < columns and across > 1:
        across -= across % 2  # pairs stay together
    return max(1, min(rows, most // across)), across


def tile_of(kernel: str, last: bool, channels: int) -> Tile:
    """Return the tile of a kernel, with no more channels than a group has, as a power of two."""
    tile = TILES[kernel][last]
    return tile._replace(BC=min(tile.BC, 1 << (channels - 1).bit_length()))


def share_of(tile: Tile, channels: int, programs: int) -> int:
    """Return how many blocks of channels a program takes, given the programs of one share each."""
    blocks = -(-channels // tile.BC)
    fewest = max(1, FEWEST // tile.BC)
    parts = max(1, min(PROGRAMS // max(1, programs), blocks // fewest))
    return -(-blocks // parts)
