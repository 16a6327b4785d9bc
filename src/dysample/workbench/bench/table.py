"""The bench's rows as tables, for a terminal and for Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

from rich.console import Console
from rich.text import Text

from dysample.workbench.bench.run import Row
from dysample.workbench.terminal import empty_table

COLUMNS = ("ms", "ratio", "target", "ns/element", "to floor", "peak MiB", "error", "backend")

FLAT = 4e6
"""Bytes of output beyond which the time an element is to be the same at all sizes."""


def show(parts: Iterable[list[Row]], as_markdown: bool, console: Console) -> None:
    """Print the rows of each workload as they come, or all of them as Markdown."""
    rows: list[Row] = []
    with console.status("measuring"):
        for part in parts:
            rows += part
            if not as_markdown:
                print_workload(part, console)
    if as_markdown:
        console.print(markdown(rows), markup=False, highlight=False, soft_wrap=True)
    else:
        print_legend(rows, console)


def print_workload(rows: Sequence[Row], console: Console) -> None:
    """The rows of one workload in one malloc regime."""
    written = f"results {rows[0]['written_bytes'] / 2**20:.3g} MiB, {rows[0]['malloc']} malloc"
    console.print(Text(_heading(rows[0]), style="bold"))
    console.print(Text(written, style="dim"))
    # A terminal of 80 columns has room for one of them.
    left_out = "ns/element" if any(row["target"] is not None for row in rows) else "target"
    table = empty_table(wide=False)
    table.add_column("row", min_width=15, no_wrap=True)
    for name in COLUMNS:
        if name != left_out:
            justify: Any = "left" if name == "backend" else "right"
            table.add_column(name, justify=justify, no_wrap=True, min_width=6)
    for row in rows:
        cells = zip(COLUMNS, _cells(row))
        table.add_row(row["row"], *(cell for name, cell in cells if name != left_out))
    console.print(table)
    console.print()


def print_legend(rows: Sequence[Row], console: Console) -> None:
    """Print what the columns mean, and how flat the size sweep is."""
    for sentence in (*_flatness(rows), *legend(rows[0])):
        console.print(Text(sentence))


def legend(row: Row) -> list[str]:
    """The columns and the conditions, in sentences."""
    return [
        "ratio: time of the row over that of the first one, median of the rounds' ratios; target:"
        " the least that is aimed at, warm.",
        "to floor: time over that of reading the inputs and writing the results.",
        "peak MiB: growth of a fresh process during one call, results included.",
        "error: largest difference to float64, of values beyond 1 as a part of the largest.",
        f"{row['cpu']}, {row['threads']} thread on one core, rows in turn, medians over rounds"
        f" ({row['rounds']}); dysample {row['dysample']}, torch {row['torch']}.",
    ]


def markdown(rows: Sequence[Row]) -> str:
    """A table a malloc regime, and what its columns mean."""
    blocks = []
    for malloc, part in groupby(sorted(rows, key=_regime), key=_regime):
        lines = [
            f"| {malloc} malloc | row | " + " | ".join(COLUMNS) + " |",
            "|---|---|" + "---:|" * (len(COLUMNS) - 1) + "---|",
        ]
        for workload in by_workload(list(part)):
            for place, row in enumerate(workload):
                cells = [_heading(row) if place == 0 else "", row["row"], *_cells(row)]
                lines.append("| " + " | ".join(cells) + " |")
        blocks.append("\n".join(lines))
    blocks.append("\n".join(f"- {text}" for text in (*_flatness(rows), *legend(rows[0]))))
    return "\n\n".join(blocks)


def by_workload(rows: Sequence[Row]) -> Iterator[list[Row]]:
    """Rows of one workload, instruction set and malloc regime together, in order of appearance."""
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["cpu"], row["isa"], row["malloc"], row["workload"]), []).append(row)
    yield from groups.values()


def _regime(row: Row) -> str:
    return str(row["malloc"])


def _heading(row: Row) -> str:
    size = "x".join(map(str, row["shape"]))
    layout = " channels_last" if row["channels_last"] else ""
    return f"{row['workload']}: {size} {row['dtype']}{layout}, {row['passes']}"


def _cells(row: Row) -> list[str]:
    return [
        _number(row["milliseconds"]),
        f"{row['ratio']:.2f}",
        "" if row["target"] is None else f"{row['target']:g}",
        _number(row["nanoseconds_an_element"]),
        f"{row['to_floor']:.2f}",
        "" if row.get("resident_bytes") is None else f"{row['resident_bytes'] / 2**20:.1f}",
        "" if row.get("error") is None else f"{row['error']:.0e}",
        row.get("backend", ""),
    ]


def _number(value: float) -> str:
    """Three digits, without an exponent."""
    decimals = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 1 else 3
    return f"{value:.{decimals}f}"


def _flatness(rows: Iterable[Row]) -> list[str]:
    """How much the time an element varies over the large sizes of the sweep."""
    sentences = []
    swept = [row for row in rows if row["suite"] == "sweep" and row["row"] == row["first"]]
    for malloc, part in groupby(sorted(swept, key=_regime), key=_regime):
        times = [r["nanoseconds_an_element"] for r in part if r["written_bytes"] > FLAT]
        if len(times) > 1:
            sentences.append(
                f"sweep, {malloc} malloc: {min(times):.3f} to {max(times):.3f} ns an element where"
                f" the output exceeds 4 MB, {max(times) / min(times) - 1:.0%} apart (target: 25 %)"
            )
    return sentences
