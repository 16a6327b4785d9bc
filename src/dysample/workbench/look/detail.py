"""The numbers behind a reading: a kernel as a table, offsets around where bilinear reads."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Circle

from dysample.workbench.drawing.palette import GROUPS
from dysample.workbench.look.reading import Reading

LEAST_RADIUS = 0.25
"""Smallest radius of the plot of offsets, in low-res pixels."""
LEAST_COLUMNS = 5
"""Fewest columns of the table, so that a single weight does not fill it."""
MOST_NUMBERS = 7
"""Columns of a table whose cells still have room for a number."""


def draw_detail(axes: Axes, reading: Reading) -> str:
    """Draw into axes without ticks, and return the panel's title."""
    if reading.ties is None:
        _draw_table(axes, reading)
        return "weights of the low-res pixels"
    _draw_offsets(axes, reading)
    return f"offsets from {reading.start} (low-res px)"


def _draw_table(axes: Axes, reading: Reading) -> None:
    columns, rows = reading.places.round().astype(int).T
    table = np.full((np.ptp(rows) + 1, np.ptp(columns) + 1), np.nan)
    table[rows - rows.min(), columns - columns.min()] = reading.weights
    top = max(float(np.nanmax(table)), 1e-6)
    axes.imshow(table, cmap="Blues", vmin=0, vmax=top, aspect="equal")
    axes.set_facecolor("0.95")
    height, width = table.shape
    room = np.maximum(0, LEAST_COLUMNS - np.array([width, height])) / 2
    axes.set_xlim(-0.5 - room[0], width - 0.5 + room[0])
    axes.set_ylim(height - 0.5 + room[1], -0.5 - room[1])
    if max(table.shape) > MOST_NUMBERS:
        return
    for row, column in np.argwhere(~np.isnan(table)):
        value = table[row, column]
        colour = "w" if value > 0.6 * top else "k"
        axes.text(column, row, f"{value:.2f}", ha="center", va="center", color=colour, fontsize=11)


def _draw_offsets(axes: Axes, reading: Reading) -> None:
    assert reading.ties is not None
    assert reading.group is not None
    offsets = reading.places - reading.ties
    radius = max(LEAST_RADIUS, 1.15 * float(np.hypot(*offsets.T).max()))
    axes.set_xlim(-radius, radius)
    axes.set_ylim(radius, -radius)
    axes.set_aspect("equal")
    axes.axhline(0, color="0.8", lw=1)
    axes.axvline(0, color="0.8", lw=1)
    ring = _round_down(radius)
    for part in (ring / 2, ring):
        axes.add_patch(Circle((0, 0), part, fill=False, ec="0.7", lw=0.8))
        place = part * 0.7071
        axes.text(place, place, f"{part:.2g}", color="0.4", fontsize=10, ha="left", va="top")
    colours = [GROUPS[g % len(GROUPS)] for g in reading.group]
    share = reading.weights / reading.weights.max()
    axes.scatter(
        offsets[:, 0],
        offsets[:, 1],
        s=110 * share,
        c=colours,
        edgecolors="k",
        linewidths=0.8,
        zorder=3,
    )
    axes.scatter(0, 0, s=20, c="k", zorder=2)


def _round_down(radius: float) -> float:
    """The largest of 1, 2, 5 times a power of ten that is not above the radius."""
    power = 10.0 ** np.floor(np.log10(radius))
    return float(max(step * power for step in (1, 2, 5) if step * power <= radius * (1 + 1e-9)))
