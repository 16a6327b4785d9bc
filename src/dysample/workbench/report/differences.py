"""Figure: differences to bilinear beside what each upsampler costs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dysample.workbench.report.palette import GUIDED, UNGUIDED
from dysample.workbench.report.sheet import DPI, save_whole
from dysample.workbench.report.summary import BASELINE, Group, Row
from dysample.workbench.report.wording import count, settings_text

WIDTH = 13.0
"""Inches; with the row height below, text stays legible at half the size."""
ROW = 0.34
HEADER = 1.4
FOOT = 0.45
"""Of the header, the part below the panels: their tick labels and a gap."""
CAPTION = 0.35


def draw_differences(groups: Sequence[Group], path: Path) -> Path | None:
    """A line of panels a group: one for each metric, one for the cost.

    Returns None, and writes nothing, if no group has a run of bilinear to pair with.
    """
    shown = [
        group
        for group in groups
        if any(row.differences[group.main[0]].by_seed for row in group.rows)
    ]
    if not shown:
        return None
    heights = [HEADER + ROW * len(group.rows) for group in shown]
    total = sum(heights) + CAPTION
    figure = Figure(figsize=(WIDTH, total), dpi=DPI)
    FigureCanvasAgg(figure)
    top = total
    for group, height in zip(shown, heights):
        bottom = (top - height + FOOT) / total
        boxes = [
            (left, bottom, 0.265, ROW * len(group.rows) / total) for left in (0.13, 0.415, 0.7)
        ]
        axes = [figure.add_axes(box) for box in boxes]
        for one, metric in zip(axes, group.main):
            _draw_metric(one, group, metric, _limits(shown, group, metric))
        _draw_cost(axes[2], group)
        _name_rows(axes, group)
        figure.text(0.01, (top - 0.12) / total, group.title, fontsize=12, weight="bold", va="top")
        details = settings_text(group)
        figure.text(0.01, (top - 0.34) / total, details, fontsize=10, color="0.4", va="top")
        top -= height
    figure.text(0.01, 0.1 / total, _caption(shown), fontsize=11, va="bottom")
    return save_whole(figure, path)


def _limits(shown: Sequence[Group], group: Group, metric: str) -> tuple[float, float]:
    """One scale for a task's groups on the same data, so that heads can be compared by eye."""
    values = [
        value
        for other in shown
        if (other.task, other.data) == (group.task, group.data)
        for row in other.rows
        for value in row.differences[metric].by_seed.values()
    ]
    low, high = min([0.0, *values]), max([0.0, *values])
    margin = 0.08 * (high - low) or 0.01
    return low - margin, high + margin


def _draw_metric(axes: Axes, group: Group, metric: str, limits: tuple[float, float]) -> None:
    axes.axvline(0, color="0.3", lw=1.2, zorder=1)
    for place, row in enumerate(group.rows):
        values = row.differences[metric]
        if values.mean is None:
            continue
        colour = _colour(row)
        dots = list(values.by_seed.values())
        axes.plot([values.mean] * 2, [place - 0.32, place + 0.32], color=colour, lw=3, zorder=3)
        axes.plot(dots, [place] * len(dots), "o", ms=7, mfc="none", mec=colour, mew=1.4, zorder=4)
    axes.set_xlim(*limits)
    axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(lambda value, _: "0" if abs(value) < 1e-9 else f"{value:+.3g}")
    measure = group.measures[metric]
    meaning = (
        f"difference to {BASELINE}" if measure.higher_is_better else "difference, lower is better"
    )
    axes.set_title(f"{measure.name}: {meaning}", fontsize=12)


def _draw_cost(axes: Axes, group: Group) -> None:
    costs = [row.records[0].macs.upsamplers for row in group.rows]
    axes.barh(range(len(costs)), costs, height=0.55, color=[_colour(row) for row in group.rows])
    # Room for the text to the right of the longest bar.
    axes.set_xlim(0, 2.2 * max(costs) or 1)
    for place, (cost, row) in enumerate(zip(costs, group.rows)):
        text = f" {count(cost)}; {count(row.records[0].parameters.upsamplers)} parameters"
        axes.text(cost, place, text, va="center", fontsize=10)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_formatter(lambda value, _: count(value))
    axes.set_title("MACs an image in the upsamplers", fontsize=12)


def _name_rows(axes: Sequence[Axes], group: Group) -> None:
    """One row an upsampler in all panels, the first on top, guided ones below a line."""
    names = [row.name for row in group.rows]
    for one in axes:
        one.set_ylim(len(names) - 0.5, -0.5)
        one.set_yticks(range(len(names)), names if one is axes[0] else [""] * len(names))
        # About 20 characters fit beside the first panel.
        size = 11 * min(1, 20 / max(len(name) for name in names))
        one.tick_params(axis="y", length=0, labelsize=size)
        one.tick_params(axis="x", labelsize=10)
        one.spines[["top", "right", "left"]].set_visible(False)
        for place in range(len(names)):
            one.axhline(place, color="0.92", lw=1, zorder=0)
        unguided = sum(not row.guided for row in group.rows)
        if 0 < unguided < len(names):
            one.axhline(unguided - 0.5, color="0.5", lw=1, ls="--")


def _colour(row: Row) -> str:
    return GUIDED if row.guided else UNGUIDED


def _caption(groups: Sequence[Group]) -> str:
    text = (
        "Circles: one seed each, paired with bilinear of the same seed. Upright bars: their mean."
    )
    if any(row.guided for group in groups for row in group.rows):
        text += " Orange: guided upsamplers, which also read finer features."
    return text
