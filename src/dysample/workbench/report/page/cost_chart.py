"""Chart: a measure against what the upsamplers cost, as in Figure 1 of the DySample paper."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean as mean

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, MaxNLocator

from dysample.workbench.drawing.canvas import (
    CHARACTER,
    STYLE,
    TEXT,
    WIDTH,
    Canvas,
    Chart,
    shortened,
)
from dysample.workbench.drawing.palette import (
    GRID,
    GUIDED,
    INK,
    LITERATURE,
    MUTED,
    REFERENCE,
    UNGUIDED,
)
from dysample.workbench.numbers import Range, count, interval
from dysample.workbench.report.summary import BASELINE

HEIGHT = 330
LEFT, TOP, FOOT = 52, 30, 44
LABEL = TEXT - 1
LINE = LABEL + 3
"""Distance between two lines of names, in pixels."""
LONGEST = 20
"""Maximum length of a name, in characters."""
ZERO = 0.7
"""Distance on the axis between a cost of 0 and the smallest other cost, in powers of ten."""


@dataclass(frozen=True)
class Point:
    """One upsampler: cost, score, and interval of the score."""

    name: str
    guided: bool
    cost: float
    score: float
    ends: Range | None = None
    seeds: tuple[float, ...] = ()


@rc_context(STYLE)
def draw_costs(
    name: str,
    title: str,
    axis: str,
    points: Sequence[Point],
    alt: str,
    caption: str = "",
    *,
    published: bool = False,
) -> Chart:
    """
    Draw the score against the cost, on a logarithmic axis with a separate place for 0.

    A dashed line marks bilinear's score. Small dots are seeds.
    """
    names = [shortened(point.name, LONGEST) for point in points]
    right = 30 + max(map(len, names), default=0) * CHARACTER * LABEL / TEXT
    height = max(HEIGHT, TOP + FOOT + LINE * len(points))
    canvas = Canvas(name, height)
    axes = canvas.axes(LEFT, TOP, WIDTH - LEFT - right, height - TOP - FOOT)
    places = _cost_axis(axes, [point.cost for point in points])
    for point in points:
        if point.name == BASELINE:
            axes.axhline(point.score, color=REFERENCE, lw=1, ls=(0, (5, 4)), zorder=1)
    for place, point in zip(places, points):
        colour = LITERATURE if published else GUIDED if point.guided else UNGUIDED
        text = f"{point.name}: {point.score:.4g} at {count(point.cost)}"
        if point.seeds:
            axes.scatter([place] * len(point.seeds), point.seeds, s=6, color=colour, alpha=0.45)
        if point.ends is not None:
            low, high = point.ends
            (bar,) = axes.plot([place] * 2, [low, high], color=colour, lw=2, alpha=0.6)
            canvas.tip(bar, f"{text}, {interval((low - point.score, high - point.score))}")
        marker = "D" if point.guided else "o"
        (dot,) = axes.plot([place], [point.score], marker, ms=6.5, color=colour, zorder=4)
        canvas.tip(dot, text)
    axes.margins(y=0.1)
    axes.autoscale_view(scalex=False)  # now, as names are placed by where the points are
    axes.yaxis.set_major_locator(MaxNLocator(6))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.4g}".removeprefix("0") or "0")
    axes.tick_params(axis="y", length=0, labelsize=LABEL, labelcolor=MUTED)
    axes.tick_params(axis="x", labelsize=LABEL)
    axes.grid(axis="y", color=GRID, lw=1, zorder=0)
    axes.set_axisbelow(True)
    axes.set_xlabel(axis, fontsize=LABEL)
    canvas.figure.text(0.012, 1 - 6 / height, title, va="top", weight="bold")
    _name(axes, [(x, point.score) for x, point in zip(places, points)], names)
    return canvas.chart(alt, caption)


def _name(axes: Axes, points: Sequence[tuple[float, float]], names: Sequence[str]) -> None:
    """Write names in a column on the right, each as close to its point's height as possible."""
    width, height = axes.get_window_extent().size
    wanted = [float(y) for _, y in axes.transData.transform(points) - axes.get_window_extent().min]
    order = sorted(range(len(points)), key=lambda one: -wanted[one])
    for place, level in zip(order, spread_heights([wanted[place] for place in order], height)):
        axes.annotate(
            names[place],
            points[place],
            xytext=(width + 12, level),
            textcoords="axes pixels",
            va="center",
            fontsize=LABEL,
            color=INK,
            arrowprops={"arrowstyle": "-", "color": REFERENCE, "lw": 0.7, "relpos": (0, 0.5),
                        "shrinkA": 2, "shrinkB": 4},
        )  # fmt: skip


def spread_heights(wanted: Sequence[float], height: float) -> list[float]:
    """
    Move text lines apart to a distance of at least `LINE`, as little as possible (least squares).

    Args:
        wanted: from the top down, in pixels above the foot of the plot.
        height: of the plot. Lines stay within it as far as they fit; the rest go on below.
    """
    # With the distance added to each, lines that touch are equal: a run of them has one mean.
    runs: list[list[float]] = []
    for line, level in enumerate(wanted):
        runs.append([level + line * LINE])
        while len(runs) > 1 and mean(runs[-1]) > mean(runs[-2]):
            runs[-2:] = [runs[-2] + runs[-1]]
    levels = [mean(run) for run in runs for _ in run]
    top, foot = height - LINE / 2, (len(levels) - 0.5) * LINE
    return [min(max(level, foot), top) - line * LINE for line, level in enumerate(levels)]


def _cost_axis(axes: Axes, costs: Sequence[float]) -> list[float]:
    """Return the position of each cost, and draw the axis in powers of ten."""
    powers = [math.log10(cost) for cost in costs if cost > 0]
    low, high = (min(powers), max(powers)) if powers else (0.0, 1.0)
    zero = low - ZERO
    steps = (0.0,) if high - low > 2.5 else (0.0, math.log10(3))
    ticks = [
        whole + step
        for whole in range(math.floor(low), math.ceil(high) + 1)
        for step in steps
        if low - 0.15 <= whole + step <= high + 0.15
    ]
    labels = [_short(10**tick) for tick in ticks]
    some_free = len(powers) < len(costs)
    if some_free:
        ticks, labels = [zero, *ticks], ["0", *labels]
        axes.axvline(low - ZERO / 2, color=GRID, lw=1, ls=(0, (2, 2)))
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.set_xticks(ticks, labels)
    margin = 0.08 * (high - low + 1)
    axes.set_xlim((zero if some_free else low) - margin, high + margin)
    return [math.log10(cost) if cost > 0 else zero for cost in costs]


def _short(value: float) -> str:
    """A round number with its unit: 300k, 1M."""
    text = count(float(f"{value:.1g}"))
    number, unit = (text[:-1], text[-1]) if text[-1].isalpha() else (text, "")
    return f"{float(number):g}{unit}"
