"""Chart: how the training loss fell, a small panel an upsampler, bilinear behind each."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib import rc_context

from dysample.workbench.drawing.canvas import STYLE, TEXT, WIDTH, Canvas, Chart, shortened
from dysample.workbench.drawing.palette import GRID, GUIDED, INK, MUTED, REFERENCE, UNGUIDED
from dysample.workbench.report.summary import BASELINE, Row

COLUMNS = 3
LEFT, TOP, FOOT = 40, 30, 26
PANEL = 78
LONGEST = 18
"""Characters of a name that fit above a panel; longer ones are made smaller."""
GAP_X, GAP_Y = 12, 24

Line = tuple[Sequence[float], Sequence[float]]


@rc_context(STYLE)
def draw_curves(name: str, title: str, rows: Sequence[Row], alt: str) -> Chart | None:
    """The mean over seeds of each upsampler; None if no run tells a loss above 0."""
    lines = {row.name: line for row in rows if (line := mean_curve(row)) is not None}
    losses = [loss for _, values in lines.values() for loss in values if loss > 0]
    if not losses:
        return None
    count = math.ceil(len(lines) / COLUMNS)
    canvas = Canvas(name, TOP + count * (PANEL + GAP_Y) + FOOT)
    width = (WIDTH - LEFT - 10 - (COLUMNS - 1) * GAP_X) / COLUMNS
    last = max(step for steps, _ in lines.values() for step in steps)
    guided = {row.name: row.guided for row in rows}
    for number, (label, (steps, values)) in enumerate(lines.items()):
        row, column = divmod(number, COLUMNS)
        left = LEFT + column * (width + GAP_X)
        axes = canvas.axes(left, TOP + 18 + row * (PANEL + GAP_Y), width, PANEL)
        axes.set_yscale("log")
        axes.set_ylim(0.93 * min(losses), 1.07 * max(losses))
        axes.set_xlim(0, last)
        ticks = _ticks(min(losses), max(losses))
        axes.set_yticks(ticks, ["" if column else f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
        bottom = number + COLUMNS >= len(lines)
        axes.set_xticks([0, last], ["0", f"{last:g}"] if bottom else ["", ""])
        first, final = axes.get_xticklabels()
        first.set_horizontalalignment("left")
        final.set_horizontalalignment("right")
        axes.tick_params(labelsize=TEXT - 2, length=2, labelcolor=MUTED)
        axes.grid(axis="y", color=GRID, lw=0.8)
        if label != BASELINE and BASELINE in lines:
            axes.plot(*lines[BASELINE], color=REFERENCE, lw=1.2)
        colour = GUIDED if guided[label] else UNGUIDED
        (drawn,) = axes.plot(steps, values, color=colour, lw=1.6)
        canvas.tip(drawn, f"{label}: loss {values[-1]:.3g} at the end")
        text = shortened(label, 2 * LONGEST)
        size = (TEXT - 1) * min(1, LONGEST / len(text))
        axes.text(0, 1.04, text, transform=axes.transAxes, fontsize=size, color=INK)
    canvas.figure.text(0.012, 1 - 6 / canvas.height, title, va="top", weight="bold")
    return canvas.chart(alt)


def mean_curve(row: Row) -> Line | None:
    """Steps and the mean loss over the seeds that were logged at the same steps as the first."""
    curves = [record.curve for record in row.records if record.curve.step]
    if not curves:
        return None
    steps = curves[0].step
    alike = [curve.loss for curve in curves if curve.step == steps]
    return steps, np.mean(alike, axis=0).tolist()


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers in range, the most that are at most four."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    choices = [
        [tick for power in powers for step in steps if low <= (tick := step * 10.0**power) <= high]
        for steps in ((1, 1.5, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,))
    ]
    return max((ticks for ticks in choices if len(ticks) <= 4), key=len, default=choices[-1])
