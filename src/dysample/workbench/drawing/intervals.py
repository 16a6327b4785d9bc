"""Chart: one line per difference, with its intervals and one dot per seed."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from dysample.workbench.drawing.canvas import (
    CHARACTER,
    STYLE,
    TEXT,
    WIDTH,
    Canvas,
    Chart,
    shortened,
)
from dysample.workbench.drawing.palette import GRID, GUIDED, INK, LINE, PAPER, UNGUIDED
from dysample.workbench.numbers import Range, difference, interval

ROW = 24
TOP = 30
FOOT = 44
LONGEST = 25
"""Characters of a name that fit beside the plot; longer ones go on in a second, smaller line."""
REACH = 0.3
"""How far beyond dots and bootstrap, in widths of these, the axis follows the t intervals."""


class Estimate(Protocol):
    """A mean difference with its uncertainty, such as `report.intervals.Estimate`."""

    @property
    def by_seed(self) -> Mapping[int, float]:
        """The difference of each seed, drawn as dots."""

    @property
    def mean(self) -> float:
        """The mean over seeds, drawn as a vertical bar."""

    @property
    def bootstrap(self) -> Range | None:
        """The bootstrap interval, drawn as a thick bar."""

    @property
    def t(self) -> Range | None:
        """Student's t interval, drawn as a thin line."""


@dataclass(frozen=True)
class Line:
    """One row; without an estimate only its name is drawn."""

    name: str
    guided: bool
    estimate: Estimate | None


@rc_context(STYLE)
def draw_forest(
    name: str, title: str, axis: str, lines: Sequence[Line], limits: tuple[float, float], alt: str
) -> Chart:
    """
    Thick bars are the bootstrap's intervals, thin lines Student's, which end in an arrow where they
    go on beyond the plot. The limits are given, so that charts beside each other share a scale.
    """
    longest = min(LONGEST, max(len(line.name) for line in lines))
    left = 14 + CHARACTER * longest
    canvas = Canvas(name, TOP + ROW * len(lines) + FOOT)
    axes = canvas.axes(left, TOP, WIDTH - left - 12, ROW * len(lines))
    axes.set_ylim(len(lines) - 0.5, -0.5)
    axes.set_xlim(*limits)
    axes.axvline(0, color=INK, lw=1, zorder=1)
    for place, line in enumerate(lines):
        axes.axhline(place, color=GRID, lw=1, zorder=0)
        if line.estimate is not None:
            _draw_line(canvas, axes, place, line, line.estimate, limits)
    unguided = sum(not line.guided for line in lines)
    if 0 < unguided < len(lines):
        axes.axhline(unguided - 0.5, color=LINE, lw=1, ls=(0, (4, 3)))
    names = [
        textwrap.fill(shortened(line.name, 2 * LONGEST - 4), LONGEST, break_on_hyphens=False)
        for line in lines
    ]
    axes.set_yticks(range(len(lines)), names)
    axes.tick_params(axis="y", length=0, labelsize=TEXT)
    for label, line in zip(axes.get_yticklabels(), lines):
        label.set_fontsize(TEXT if len(line.name) <= LONGEST else TEXT - 2.5)
        label.set_linespacing(1.15)
        label.set_color(GUIDED if line.guided else INK)
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(
        lambda value, _: "0" if abs(value) < 1e-9 else f"{value:+.3g}".replace("0.", ".", 1)
    )
    axes.set_xlabel(axis, fontsize=TEXT - 1)
    canvas.figure.text(0.012, 1 - 6 / canvas.height, title, va="top", weight="bold")
    return canvas.chart(alt)


def shared_limits(estimates: Sequence[Estimate]) -> tuple[float, float]:
    """Return axis limits around all dots and bootstrap intervals; long t intervals are cut off."""
    sure = [0.0]
    wide = [0.0]
    for one in estimates:
        sure += [*one.by_seed.values(), *(one.bootstrap or ())]
        wide += one.t or ()
    low, high = min(sure), max(sure)
    span = (high - low) or 0.01
    low = max(min(*wide, low), low - REACH * span)
    high = min(max(*wide, high), high + REACH * span)
    margin = 0.06 * (high - low) or 0.01  # without any difference
    return low - margin, high + margin


def _draw_line(
    canvas: Canvas, axes: Axes, place: int, line: Line, one: Estimate, limits: tuple[float, float]
) -> None:
    colour = GUIDED if line.guided else UNGUIDED
    text = f"{line.name}: {difference(one.mean)}"
    if one.t is not None and one.bootstrap is not None:
        ends = [max(one.t[0], limits[0]), min(one.t[1], limits[1])]
        (thin,) = axes.plot(ends, [place, place], color=colour, lw=1.2, zorder=2)
        canvas.tip(thin, f"{text}, t interval {interval(one.t)}")
        for value, limit, marker in zip(one.t, limits, "<>"):
            if (value < limit) if marker == "<" else (value > limit):
                axes.plot([limit], [place], marker, ms=6, color=colour, clip_on=False, zorder=2)
        (bar,) = axes.plot(
            one.bootstrap, [place, place], color=colour, lw=7, alpha=0.4, solid_capstyle="butt"
        )
        canvas.tip(bar, f"{text}, bootstrap interval {interval(one.bootstrap)}")
    dots = axes.scatter(
        list(one.by_seed.values()),
        [place] * len(one.by_seed),
        s=22,
        facecolors=PAPER,
        edgecolors=colour,
        linewidths=1.2,
        zorder=3,
    )
    canvas.tip(
        dots, *(f"{line.name}, seed {seed}: {difference(v)}" for seed, v in one.by_seed.items())
    )
    (mean,) = axes.plot([one.mean] * 2, [place - 0.36, place + 0.36], color=colour, lw=2, zorder=4)
    canvas.tip(mean, f"{text}, mean of {len(one.by_seed)}")
