"""Class maps: their boundaries, the errors near them, and pictures of both."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from dysample.workbench.drawing.palette import WRONG, byte_colour, paint
from dysample.workbench.metrics.boundary import IGNORE, boundary_band

BAND = 2
"""Half width of the band in pixels: up to here an upsampler decides what a pixel becomes."""


def label_band(label: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Pixels at most `BAND` rows and columns from another class, for labels (H, W)."""
    classes = torch.tensor(label)[None]
    return boundary_band(classes, classes != IGNORE, BAND)[0].numpy()


def boundary_errors(
    label: NDArray[np.uint8], prediction: NDArray[np.uint8]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """The wrong pixels of the band, and the band; both (H, W)."""
    band = label_band(label)
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


def label_edges(label: NDArray[np.uint8]) -> list[NDArray[np.float64]]:
    """The lines between pixels of different labels, as segments ((x, y), (x, y))."""
    rows, columns = np.nonzero(label[:, 1:] != label[:, :-1])
    x, y = columns + 0.5, rows - 0.5
    upright = np.stack([np.stack([x, y], 1), np.stack([x, y + 1], 1)], 1)
    rows, columns = np.nonzero(label[1:] != label[:-1])
    x, y = columns - 0.5, rows + 0.5
    level = np.stack([np.stack([x, y], 1), np.stack([x + 1, y], 1)], 1)
    return list(np.concatenate([upright, level]))


def mark_errors(label: NDArray[np.uint8], prediction: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The prediction in class colours (H, W, 3), wrong boundary pixels in the error colour."""
    pixels = paint(np.where(label == IGNORE, np.uint8(IGNORE), prediction))
    wrong, _ = boundary_errors(label, prediction)
    pixels[wrong] = byte_colour(WRONG)
    return pixels
