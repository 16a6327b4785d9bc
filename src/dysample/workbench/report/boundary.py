"""Label boundaries: the band around them, the errors inside it, and where they are densest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dysample.workbench.report.samples import IGNORE

BAND = 2
"""Half width of the band in pixels: up to here an upsampler decides what a pixel becomes."""


def boundary_band(label: NDArray[np.uint8], radius: int = BAND) -> NDArray[np.bool_]:
    """
    Pixels with another class at most `radius` rows and columns away, for labels (H, W).

    Ignored pixels are never in the band, and nothing next to one is for that reason alone.
    """
    H, W = label.shape
    valid = label != IGNORE
    band = np.zeros((H, W), dtype=np.bool_)
    for dy in range(-radius, radius + 1):
        for dx in range(-radius, radius + 1):
            here = (_overlap(dy, H), _overlap(dx, W))
            there = (_overlap(-dy, H), _overlap(-dx, W))
            band[here] |= (label[here] != label[there]) & valid[here] & valid[there]
    return band


def boundary_errors(
    label: NDArray[np.uint8], prediction: NDArray[np.uint8]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """The wrong pixels of the band, and the band; both (H, W)."""
    band = boundary_band(label)
    return band & (prediction != label), band


def densest_window(mask: NDArray[np.bool_], height: int, width: int) -> tuple[int, int]:
    """Top left corner (row, column) of the height x width window with the most set pixels."""
    H, W = mask.shape
    height, width = min(height, H), min(width, W)
    total = np.zeros((H + 1, W + 1), dtype=np.int64)
    total[1:, 1:] = mask.cumsum(axis=0).cumsum(axis=1)
    count = total[height:, width:] - total[:-height, width:]
    count -= total[height:, :-width] - total[:-height, :-width]
    row, column = np.unravel_index(int(count.argmax()), count.shape)
    return int(row), int(column)


def _overlap(shift: int, size: int) -> slice:
    """The part of an axis whose pixels have a neighbour `shift` further on."""
    return slice(max(0, -shift), max(0, size - max(0, shift)))
