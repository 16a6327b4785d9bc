"""Terminal tables of costs: measured ones, and the papers' beside ours."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dysample.workbench.costs.count import Cost
from dysample.workbench.costs.published import (
    NOTES,
    OF_CARAFE,
    SOURCES,
    PrintedIncrement,
    compare_published,
)
from dysample.workbench.terminal import WIDE, empty_table


def print_costs(
    costs: Sequence[Cost], refused: Mapping[str, str], title: str, console: Console
) -> None:
    """One row an upsampler, and below the table why those without a row have none."""
    console.print(Text(title, style="bold"))
    table = empty_table(console.width >= WIDE)
    table.add_column("upsampler", overflow="fold")
    table.add_column("guided")
    macs_size, macs_unit = _unit(
        [cost.macs for cost in costs], 1000, ("MACs", "kMACs", "MMACs", "GMACs")
    )
    byte_size, byte_unit = _unit(
        [cost.output_bytes for cost in costs], 1024, ("B", "KiB", "MiB", "GiB")
    )
    for head in (
        "para-\nmeters", f"{macs_unit}\nformula", f"{macs_unit}\ncounted",
        f"output\n{byte_unit}", f"peak\n{byte_unit}", "peak/\noutput",
    ):  # fmt: skip
        table.add_column(head, justify="right", no_wrap=True)
    for cost in costs:
        table.add_row(
            cost.name,
            "yes" if cost.guided else "no",
            f"{cost.parameters:,}",
            f"{cost.macs / macs_size:.3f}",
            f"{cost.counted_macs / macs_size:.3f}",
            f"{cost.output_bytes / byte_size:.1f}",
            f"{cost.peak_bytes / byte_size:.1f}",
            f"{cost.peak_bytes / cost.output_bytes:.2f}",
        )
    console.print(table)
    _say([f"{name}: {reason}" for name, reason in refused.items()], console)


def print_published(console: Console) -> None:
    """One table a model, then the notes and the sources that the tables refer to."""
    numbers = {note: str(number) for number, note in enumerate(NOTES, start=1)}
    table = None
    model = None
    for row in compare_published():
        if row.model is not model:
            if table is not None:
                console.print(table)
                console.print()
            model = row.model
            places = "upsampler" if model.steps == 1 else "upsamplers"
            console.print(Text(f"{model.title}: {model.steps} {places}", style="bold"))
            table = _published_table(console)
        assert table is not None
        table.add_row(*_published_cells(row, numbers))
    if table is not None:
        console.print(table)
        console.print()
    _say(
        [
            "params: all parameters, biases included. GFLOPs: multiply-adds by our formulas; the"
            " papers call a multiply-add a FLOP.",
            "same: ours, rounded to the printed digits, is the printed number.",
        ],
        console,
    )
    console.print(Text("Notes", style="bold"))
    _say(NOTES.values(), console, list(numbers.values()))
    console.print(Text("Sources", style="bold"))
    _say(SOURCES.values(), console, list(SOURCES))


def _published_table(console: Console) -> Table:
    table = empty_table(console.width >= WIDE)
    # Fixed widths: the tables of all models stand in line.
    table.add_column("upsampler", min_width=15, no_wrap=True)
    table.add_column("what", min_width=6, no_wrap=True)
    for head, width in (("published", 14), ("ours", 9), ("difference", 10), ("same", 4)):
        table.add_column(head, justify="right", min_width=width, no_wrap=True)
    table.add_column("source", min_width=8, no_wrap=True)
    table.add_column("note", justify="right", no_wrap=True)
    return table


def _published_cells(row: PrintedIncrement, numbers: Mapping[str, str]) -> tuple[str, ...]:
    unit = row.printed.partition(" ")[2]
    comparable = row.published is not None and row.ours is not None
    return (
        row.name,
        row.quantity.replace("parameters", "params"),
        "?" if row.published is None else row.printed,
        "-"
        if row.ours is None
        else f"{float(row.ours):.{row.decimals + 1}f} {unit.replace(OF_CARAFE, '%')}",
        "-" if row.difference is None else _percent(row.difference),
        ("yes" if row.agrees else "no") if comparable else "-",
        row.source,
        numbers.get(row.note, ""),
    )


def _percent(difference: float) -> str:
    text = f"{difference:+.1%}"
    return "0.0%" if text in ("+0.0%", "-0.0%") else text


def _unit(values: Iterable[int], step: int, names: Sequence[str]) -> tuple[int, str]:
    """The unit in which the largest value is at least 1."""
    largest, size, place = max(values, default=0), 1, 0
    while place + 1 < len(names) and largest >= step * size:
        size, place = step * size, place + 1
    return size, names[place]


def _say(sentences: Iterable[str], console: Console, marks: Sequence[str] | None = None) -> None:
    """Sentences as a list, with the marks in front if given, whose further lines are indented."""
    for place, sentence in enumerate(sentences):
        mark = marks[place] if marks else "-"
        width = max(map(len, marks)) if marks else 1
        lines = textwrap.fill(
            sentence,
            console.width,
            initial_indent=f"{mark:>{width}} ",
            subsequent_indent=" " * (width + 1),
            break_on_hyphens=False,
        )
        console.print(Text(lines))
