"""Names beside the points of a chart, where they cover neither points nor each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.transforms import Bbox

from dysample.report.page.figure import INK, REFERENCE

AWAY = (9, 18, 28, 40, 54)
"""Distances in pixels at which a place for a name is looked for, the nearest first."""
DIRECTIONS = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 0.8), (1, -0.8), (-1, 0.8), (-1, -0.8))
CHARACTER = 0.6
"""Width of a character in font sizes."""
POINT = 5
"""Half the side of what a point covers."""


@dataclass(frozen=True)
class Spot:
    """A place for a name: its box, where a line from the point ends, and how far off it is."""

    box: Bbox
    end: tuple[float, float]
    away: int


def place_names(
    axes: Axes, points: Sequence[tuple[float, float]], names: Sequence[str], size: float
) -> None:
    """
    Write each name near its point (x, y), tied to it by a line if it is not right beside it.

    Greedy, from the top: of all the places around a point the one that covers least.
    """
    inside = axes.get_window_extent()
    centres = [tuple(axes.transData.transform(point)) for point in points]
    taken = [Bbox.from_extents(x - POINT, y - POINT, x + POINT, y + POINT) for x, y in centres]
    for place in sorted(range(len(points)), key=lambda one: -centres[one][1]):
        x, y = centres[place]
        spots = _spots(x, y, CHARACTER * size * len(names[place]), size + 2)
        spot = min(spots, key=lambda one: (_covered(one.box, taken, inside), one.away))
        taken.append(spot.box)
        axes.annotate(
            names[place],
            points[place],
            xytext=(spot.box.x0 - x, (spot.box.y0 + spot.box.y1) / 2 - y),
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
            box = Bbox.from_bounds(left, middle - height / 2, width, height)
            end = (near, middle if sideways else middle - rise * height / 2)
            yield Spot(box, end, away)


def _covered(box: Bbox, taken: Sequence[Bbox], inside: Bbox) -> float:
    """What of other things a box covers, and what of it is outside, in square pixels."""
    covered = sum(_area(Bbox.intersection(box, other)) for other in taken)
    return covered + _area(box) - _area(Bbox.intersection(box, inside))


def _area(box: Bbox | None) -> float:
    return 0.0 if box is None else float(box.width * box.height)
