"""How a reading is drawn: points tied to where they come from, or squares as large as weights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from dysample.workbench.drawing.palette import GROUPS
from dysample.workbench.look.reading import Reading, owner

WINDOW = 2.3
"""Low-res pixels to each side of the one that holds the output pixel."""
POSITIVE, NEGATIVE = "#000000", "#CC3311"


def draw_reading(
    axes: Axes,
    reading: Reading,
    size: tuple[int, int],
    low: tuple[int, int],
    pixel: tuple[int, int],
    edges: Sequence[NDArray[np.float64]] = (),
    window: float = WINDOW,
) -> None:
    """Draw on a picture whose axes count low-res pixels, centres at integers.

    Args:
        axes: the picture.
        reading: of the output pixel.
        size: height and width of the output.
        low: height and width of the features.
        pixel: row and column in the output.
        edges: lines between labels, in low-res pixels.
        window: low-res pixels that are shown to each side.
    """
    H, W = low
    for line in range(max(H, W)):
        axes.axvline(line - 0.5, color="w", lw=0.6)
        axes.axhline(line - 0.5, color="w", lw=0.6)
    axes.add_collection(LineCollection(list(edges), colors="k", linewidths=1.2, linestyles=":"))
    height, width = H / size[0], W / size[1]
    corner = pixel[1] * width - 0.5, pixel[0] * height - 0.5
    axes.add_patch(Rectangle(corner, width, height, fc="#FFFFFFB0", ec="k", lw=1.4, zorder=3))
    if reading.ties is None:
        _draw_squares(axes, reading)
    else:
        _draw_points(axes, reading, reading.ties)
    centre = owner(size, low, pixel)[::-1]
    axes.set_xlim(centre[0] - window - 0.5, centre[0] + window + 0.5)
    axes.set_ylim(centre[1] + window + 0.5, centre[1] - window - 0.5)


def _draw_squares(axes: Axes, reading: Reading) -> None:
    for (x, y), weight in zip(reading.places, reading.weights):
        side = min(1.0, abs(float(weight)) ** 0.5)
        colour = POSITIVE if weight > 0 else NEGATIVE
        corner = x - side / 2, y - side / 2
        axes.add_patch(Rectangle(corner, side, side, fc=colour, alpha=0.75, zorder=4))


def _draw_points(axes: Axes, reading: Reading, starts: NDArray[np.float64]) -> None:
    assert reading.group is not None
    colours = [GROUPS[g % len(GROUPS)] for g in reading.group]
    ties = np.stack([starts, reading.places], axis=1)
    axes.add_collection(
        LineCollection(list(ties), colors=colours, linewidths=1.2, alpha=0.7, zorder=4)
    )
    x, y = reading.places.T
    area = 90 * reading.weights * (0.6 if np.ptp(reading.weights) == 0 else 2)
    axes.scatter(x, y, s=area, c=colours, edgecolors="k", linewidths=0.6, zorder=5)
    axes.scatter(starts[0, 0], starts[0, 1], s=14, c="k", zorder=6)
