"""Names beside the points of a chart, where they cover neither points nor each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from matplotlib.axes import Axes

from dysample.workbench.report.page.figure import INK, REFERENCE

AWAY = (9, 18, 28, 40, 54)
"""Distances in pixels at which a place for a name is looked for, the nearest first."""
DIRECTIONS = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 0.8), (1, -0.8), (-1, 0.8), (-1, -0.8))
CHARACTER = 0.6
"""Width of a character in font sizes."""
POINT, BAR = 5, 2
"""Half the side of what a point covers, and half the width of a bar."""


class Box(NamedTuple):
    """In pixels, from left to right and from the bottom up."""

    left: float
    bottom: float
    right: float
    top: float


@dataclass(frozen=True)
class Spot:
    """A place for a name: its box, where a line from the point ends, and how far off it is."""

    box: Box
    end: tuple[float, float]
    away: int


def place_names(
    axes: Axes,
    points: Sequence[tuple[float, float]],
    names: Sequence[str],
    size: float,
    bars: Sequence[tuple[float, float, float]],
) -> None:
    """
    Write each name near its point (x, y), tied to it by a line if it is not right beside it.

    Greedy, from the top: of all the places around a point the one that covers least. Upright bars
    (x, low, high) are in the way as well.
    """
    inside = Box(*axes.get_window_extent().extents)
    centres = [tuple(axes.transData.transform(point)) for point in points]
    taken = [Box(x - POINT, y - POINT, x + POINT, y + POINT) for x, y in centres]
    for x, low, high in bars:
        (left, bottom), (_, top) = axes.transData.transform([(x, low), (x, high)])
        taken.append(Box(left - BAR, bottom, left + BAR, top))
    for place in sorted(range(len(points)), key=lambda one: -centres[one][1]):
        x, y = centres[place]
        spots = _spots(x, y, CHARACTER * size * len(names[place]), size + 2)
        spot = min(spots, key=lambda one: (_covered(one.box, taken, inside), one.away))
        taken.append(spot.box)
        axes.annotate(
            names[place],
            points[place],
            xytext=(spot.box.left - x, (spot.box.bottom + spot.box.top) / 2 - y),
            textcoords="offset pixels",
            va="center_baseline",
            fontsize=size,
            color=INK,
        )
        if spot.away > AWAY[0]:
            axes.annotate(
                "",
                points[place],
                xytext=(spot.end[0] - x, spot.end[1] - y),
                textcoords="offset pixels",
                arrowprops={"arrowstyle": "-", "color": REFERENCE, "lw": 0.8, "shrinkB": 4},
            )


def _spots(x: float, y: float, width: float, height: float) -> Iterator[Spot]:
    for away in AWAY:
        for sideways, rise in DIRECTIONS:
            near = x + sideways * away
            left = {1: near, -1: near - width, 0: x - width / 2}[sideways]
            middle = y + rise * (away + 4)
            box = Box(left, middle - height / 2, left + width, middle + height / 2)
            end = (near, middle if sideways else middle - rise * height / 2)
            yield Spot(box, end, away)


def _covered(box: Box, taken: Sequence[Box], inside: Box) -> float:
    """What of other things a box covers, and what of it is outside, in square pixels."""
    covered = sum(_shared(box, other) for other in taken)
    return covered + _shared(box, box) - _shared(box, inside)


def _shared(one: Box, other: Box) -> float:
    width = min(one.right, other.right) - max(one.left, other.left)
    height = min(one.top, other.top) - max(one.bottom, other.bottom)
    return max(0.0, width) * max(0.0, height)
