"""Chart: a measure against the scale of the learning rate, a small panel an upsampler."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
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
from dysample.workbench.drawing.palette import GRID, GUIDED, INK, LINE, MUTED, REFERENCE, UNGUIDED
from dysample.workbench.numbers import number
from dysample.workbench.report.rates import chosen_text, scales_tried
from dysample.workbench.report.summary import BASELINE, Group, Search

COLUMNS = 3
LEFT, RIGHT, FOOT = 42, 12, 70
TITLE = 16
"""Height of a line of the title, in pixels."""
PANEL = 86
GAP_X, GAP_Y = 14, 26
LONGEST = 18
"""Characters of a name that fit above a panel; longer ones are made smaller."""
REACH = 1.5
"""How far below the best results of all upsamplers the axis reaches, in ranges of these."""
CUT = 0.15
"""At most this share of the results is beyond the axis."""
LABELLED = 5
"""At most so many scales have their numbers below a panel."""


@dataclass(frozen=True)
class _Curve:
    """The results of one upsampler by scale, without those that are undefined."""

    search: Search
    by_scale: Mapping[float, float]


def draw_rates(name: str, title: str, group: Group, searches: Sequence[Search]) -> Chart | None:
    """
    Draw the leading measure of the trials against their scale; None without any result.

    Args:
        name: unique on the page.
        title: of the chart.
        group: of the runs that the trials are for.
        searches: those of the group that are shown.
    """
    with rc_context(STYLE):
        canvas = _canvas(name, title, group, searches)
        if canvas is None:
            return None
        told = "; ".join(f"{one.name} {chosen_text(one)}" for one in searches)
        return canvas.chart(f"{title}, a panel an upsampler; chosen scales: {told}")


def save_rates(group: Group, path: Path) -> Path | None:
    """Write the same as a PNG that stands alone; None, and nothing is written, without trials."""
    with rc_context(STYLE):
        title = f"{group.title}: {rates_title(group)}"
        canvas = _canvas("rates", title, group, group.searches)
        return None if canvas is None else canvas.save(path)


def rates_title(group: Group) -> str:
    """What the chart shows."""
    measure = group.measures[group.main[0]]
    lower = "" if measure.higher_is_better else ", lower is better"
    return f"{measure.name} against the scale of the learning rate{lower}"


def _canvas(name: str, title: str, group: Group, searches: Sequence[Search]) -> Canvas | None:
    metric = group.main[0]
    curves = [_curve(one, metric) for one in searches if one.trials]
    if not any(curve.by_scale for curve in curves):
        return None
    scales = scales_tried(searches)[::-1]
    higher = group.measures[metric].higher_is_better
    low, high = _limits(curves, higher)
    lines = textwrap.wrap(title, int((WIDTH - 10) / CHARACTER))
    top = 14 + TITLE * len(lines)
    count = math.ceil(len(curves) / COLUMNS)
    canvas = Canvas(name, top + count * (PANEL + GAP_Y) + FOOT)
    width = (WIDTH - LEFT - RIGHT - (COLUMNS - 1) * GAP_X) / COLUMNS
    for place, curve in enumerate(curves):
        row, column = divmod(place, COLUMNS)
        left = LEFT + column * (width + GAP_X)
        axes = canvas.axes(left, top + 18 + row * (PANEL + GAP_Y), width, PANEL)
        axes.set_ylim(low, high)
        _axes(axes, scales, numbers=column == 0, foot=place + COLUMNS >= len(curves))
        for other in curves:
            if other is not curve:
                _line(axes, other, scales)
        _own(canvas, axes, curve, scales, worst=low if higher else high)
        text = shortened(curve.search.name, 2 * LONGEST)
        size = (TEXT - 1) * min(1, LONGEST / len(text))
        axes.text(0, 1.09, text, transform=axes.transAxes, fontsize=size, color=INK)
    for number_of, line in enumerate(lines):
        canvas.figure.text(
            0.012, 1 - (6 + TITLE * number_of) / canvas.height, line, va="top", weight="bold"
        )
    _explain(canvas, curves, scales, (low, high))
    return canvas


def _explain(
    canvas: Canvas, curves: Sequence[_Curve], scales: Sequence[float], limits: tuple[float, float]
) -> None:
    """Write at the foot what the axis is, and what the marks and lines that there are mean."""
    beyond = any(
        not limits[0] <= value <= limits[1] for one in curves for value in one.by_scale.values()
    )
    chosen = [one for one in curves if one.search.chosen]
    marks = [
        ("large: chosen", bool(chosen)),
        ("arrow: beyond the axis", beyond),
        ("cross: no result", any(len(one.by_scale) < len(scales) for one in chosen)),
    ]
    behind = [
        (f"dashed: {BASELINE}", any(_is_baseline(one) for one in curves)),
        ("grey: the others", len(curves) > 1),
    ]
    lines = ["scale of the learning rate"]
    lines += ["; ".join(text for text, shown in texts if shown) for texts in (marks, behind)]
    middle = (LEFT + WIDTH - RIGHT) / 2 / WIDTH
    for above, line in zip((38, 22, 6), lines):
        place = (middle, above / canvas.height)
        canvas.figure.text(*place, line, ha="center", color=MUTED, fontsize=TEXT - 1)


def _curve(search: Search, metric: str) -> _Curve:
    scores = search.scores(metric)
    found = {scale: score.mean for scale, score in scores.items() if score.mean is not None}
    return _Curve(search, dict(sorted(found.items())))


def _is_baseline(curve: _Curve) -> bool:
    return curve.search.name == BASELINE


def _limits(curves: Sequence[_Curve], higher: bool) -> tuple[float, float]:
    """Return the ends of the axis, cut off where few results lie far below the good ones."""
    values = [value for curve in curves for value in curve.by_scale.values()]
    best = [(max if higher else min)(curve.by_scale.values()) for curve in curves if curve.by_scale]
    low, high = min(values), max(values)
    reach = REACH * (max(best) - min(best))
    if reach and higher:
        low = max(low, min(min(best) - reach, float(np.quantile(values, CUT))))
    elif reach:
        high = min(high, max(max(best) + reach, float(np.quantile(values, 1 - CUT))))
    margin = 0.08 * (high - low) or 0.01
    return low - margin, high + margin


def _axes(axes: Axes, scales: Sequence[float], *, numbers: bool, foot: bool) -> None:
    axes.set_xscale("log")
    axes.set_xlim(scales[0] / 1.35, scales[-1] * 1.35)
    shown = scales if len(scales) <= LABELLED else (scales[0], scales[-1])
    axes.set_xticks(shown, [f"{scale:g}" if foot else "" for scale in shown])
    axes.minorticks_off()
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_formatter(
        lambda value, _: (f"{value:.4g}".replace("0.", ".", 1) or "0") if numbers else ""
    )
    axes.tick_params(labelsize=TEXT - 2, length=2, labelcolor=MUTED)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", color=GRID, lw=0.8)
    axes.set_axisbelow(True)


def _line(axes: Axes, curve: _Curve, scales: Sequence[float]) -> None:
    """Another upsampler's results, behind."""
    style: dict[str, Any] = {"color": REFERENCE, "ls": (0, (4, 3)), "lw": 1.3, "zorder": 2}
    if not _is_baseline(curve):
        style = {"color": LINE, "lw": 0.8, "alpha": 0.7, "zorder": 1}
    axes.plot(scales, [curve.by_scale.get(scale, math.nan) for scale in scales], **style)


def _own(canvas: Canvas, axes: Axes, curve: _Curve, scales: Sequence[float], worst: float) -> None:
    """The upsampler's own results, with a mark each; without one a cross at the worst end."""
    search = curve.search
    colour, marker = (GUIDED, "D") if search.guided else (UNGUIDED, "o")
    dashed = (0, (4, 3)) if _is_baseline(curve) else "-"
    values = [curve.by_scale.get(scale, math.nan) for scale in scales]
    axes.plot(scales, values, color=colour, lw=1.6, ls=dashed, zorder=3)
    low, high = axes.get_ylim()
    for scale in scales:
        value = curve.by_scale.get(scale)
        where = f"{search.name} at {scale:g}"
        style: dict[str, Any] = {"color": colour, "clip_on": False, "zorder": 4}
        if value is None:
            if not search.chosen:  # not tried yet
                continue
            (dot,) = axes.plot([scale], [worst], "x", ms=6, mew=1.5, **style)
            canvas.tip(dot, f"{where}: no result")
            continue
        if not low <= value <= high:
            end, marker_there = (low, "v") if value < low else (high, "^")
            (dot,) = axes.plot([scale], [end], marker_there, ms=6, **style)
        else:
            size = (7 if search.guided else 8) if scale in search.chosen else 3
            (dot,) = axes.plot([scale], [value], marker, ms=size, **style)
        chosen = ", chosen" if scale in search.chosen else ""
        canvas.tip(dot, f"{where}: {number(value)}{chosen}")
