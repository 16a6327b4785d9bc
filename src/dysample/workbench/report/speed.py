"""Figure: how many times as long as ours the rivals take, and the time an element by size."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from dysample.workbench.report.palette import GROUPS
from dysample.workbench.report.sheet import DPI, save_whole

Row = dict[str, Any]

WIDTH = 13.0
"""Inches; with the row height below, text stays legible at half the size."""
ROW = 0.42
HEADER = 0.5
FOOT = 1.3
COLOURS = {"warm": "#4477AA", "default": "#BBCCEE"}
LINES = {"warm": "-", "default": ":"}


def draw_speed(rows: Sequence[Row], path: Path) -> Path:
    """Draw what the lines of `dysample bench --json` hold: bars, and the sweep if it was run.

    Raises:
        ValueError: if they hold neither.
    """
    rivals = _rivals(rows)
    sweep = [row for row in rows if row["suite"] == "sweep"]
    if not rivals and not sweep:
        raise ValueError("a figure needs rows of the suites paper, kernels or sweep")
    names = list(dict.fromkeys(_label(row) for row in rivals))
    height = max(5.0, HEADER + ROW * len(names) + FOOT)
    figure = Figure(figsize=(WIDTH, height), dpi=DPI)
    FigureCanvasAgg(figure)
    bottom, tall = FOOT / height, (height - HEADER - FOOT) / height
    if rivals:
        across = 0.36 if sweep else 0.78
        _draw_ratios(figure.add_axes((0.19, bottom, across, tall)), rivals, names)
    if sweep:
        _draw_sweep(figure.add_axes((0.66, bottom, 0.31, tall)), sweep)
    first = rows[0]
    conditions = (
        f"{first['cpu']}, {first['threads']} thread, {first['isa'] or 'no CPU kernels'},"
        f" torch {first['torch']}; medians of {first['rounds']} rounds in turn"
    )
    figure.text(0.01, 0.1 / height, conditions, fontsize=11, color="0.4", va="bottom")
    return save_whole(figure, path)


def _rivals(rows: Sequence[Row]) -> list[Row]:
    """Rows with a target, and plain torch where an operation has none."""
    return [
        row
        for row in rows
        if row["target"] is not None or (row["suite"] == "kernels" and row["row"] == "eager")
    ]


def _label(row: Row) -> str:
    return f"{row['workload']}, {row['row']}"


def _draw_ratios(axes: Axes, rivals: Sequence[Row], names: Sequence[str]) -> None:
    regimes = [name for name in COLOURS if any(row["malloc"] == name for row in rivals)]
    bar = 0.8 / len(regimes)
    for row in rivals:
        place = names.index(_label(row))
        lane = place - 0.4 + bar * (regimes.index(row["malloc"]) + 0.5)
        # From 1, equally fast, to the ratio.
        axes.barh(lane, row["ratio"] - 1, bar, left=1, color=COLOURS[row["malloc"]], zorder=2)
        # Behind bar and target mark, on the right, where no name of a row is.
        end = max(1, row["ratio"], row["target"] or 0)
        axes.text(end, lane, f"  {row['ratio']:.3g}", va="center", ha="left", fontsize=9)
        if row["target"] is not None:
            axes.plot([row["target"]] * 2, [place - 0.4, place + 0.4], color="0.1", lw=1.6,
                      zorder=3)  # fmt: skip
    ratios = [row["ratio"] for row in rivals]
    axes.set_xscale("log")
    axes.set_xlim(min(0.35, 0.5 * min(ratios)), 2 * max(2.0, *ratios))
    axes.axvline(1, color="0.3", lw=1.2, zorder=1)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_yticks(range(len(names)), names)
    ticks = [t for t in (0.5, 1, 2, 5, 10, 20, 50, 100, 200) if t < axes.get_xlim()[1]]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.tick_params(axis="y", length=0, labelsize=11)
    axes.tick_params(axis="x", labelsize=10)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.set_title("time over ours", fontsize=12, loc="left")
    for name in regimes:
        axes.barh([-2], [0], color=COLOURS[name], label=f"{name} malloc")
    axes.plot([], [], color="0.1", lw=1.6, label="target (warm)")
    _legend_below(axes, 3)


def _draw_sweep(axes: Axes, sweep: Sequence[Row]) -> None:
    for colour, name in zip(GROUPS, dict.fromkeys(row["row"] for row in sweep)):
        axes.plot([], [], color=colour, label=name)
        for malloc, line in LINES.items():
            chosen = [row for row in sweep if (row["row"], row["malloc"]) == (name, malloc)]
            elements = [4 * row["shape"][1] * row["shape"][2] * row["shape"][3] for row in chosen]
            times = [row["nanoseconds_an_element"] for row in chosen]
            axes.plot(elements, times, line, marker="o", ms=4, color=colour)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_xlabel("elements of the output (dotted: default malloc)", fontsize=11)
    axes.set_title("nanoseconds an element of the output", fontsize=12, loc="left")
    axes.tick_params(labelsize=10)
    axes.grid(color="0.92", zorder=0)
    axes.spines[["top", "right"]].set_visible(False)
    _legend_below(axes, 4)


def _legend_below(axes: Axes, columns: int) -> None:
    """A line of legend below the ticks and the label of the x axis."""
    inches = axes.get_window_extent().height / DPI
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.5 / inches), ncols=columns,
                fontsize=10, frameon=False, columnspacing=1.2, handlelength=1.4)  # fmt: skip
