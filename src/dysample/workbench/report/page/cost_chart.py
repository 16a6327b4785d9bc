"""Chart: a measure against what the upsamplers cost, as in Figure 1 of the DySample paper."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, MaxNLocator

from dysample.workbench.report.intervals import Range
from dysample.workbench.report.page.blocks import Chart
from dysample.workbench.report.page.figure import (
    GRID,
    GUIDED,
    LITERATURE,
    MUTED,
    REFERENCE,
    STYLE,
    TEXT,
    UNGUIDED,
    WIDTH,
    Canvas,
    shortened,
)
from dysample.workbench.report.page.labels import place_names
from dysample.workbench.report.summary import BASELINE
from dysample.workbench.report.wording import count, interval

HEIGHT = 330
LEFT, TOP, FOOT = 52, 30, 44
LABEL = TEXT - 1
LONGEST = 30
"""Characters of a name."""
ZERO = 0.7
"""How far, in powers of ten, what costs nothing stands to the left of the cheapest other."""


@dataclass(frozen=True)
class Point:
    """One upsampler: its cost, its score, and where the score lies."""

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
    Cost to the right on a logarithmic axis, with a place for zero left of it; score upwards.

    A dashed line marks bilinear's score. Small dots are seeds.
    """
    canvas = Canvas(name, HEIGHT)
    axes = canvas.axes(LEFT, TOP, WIDTH - LEFT - 16, HEIGHT - TOP - FOOT)
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
    canvas.figure.text(0.012, 1 - 6 / HEIGHT, title, va="top", weight="bold")
    place_names(
        axes,
        [(x, point.score) for x, point in zip(places, points)],
        [shortened(point.name, LONGEST) for point in points],
        LABEL,
        [(x, *point.ends) for x, point in zip(places, points) if point.ends is not None],
    )
    return canvas.chart(alt, caption)


def _cost_axis(axes: Axes, costs: Sequence[float]) -> list[float]:
    """Where each cost stands; the axis is drawn in powers of ten."""
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
