"""The terminal table: one row an upsampler, differences to bilinear, costs, and sentences below."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Sequence
from textwrap import indent
from typing import TypeVar

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dysample.workbench.numbers import count, number, three_digits
from dysample.workbench.record import Record
from dysample.workbench.report.commands import command_for_more, folded
from dysample.workbench.report.intervals import to_baseline
from dysample.workbench.report.rates import (
    chosen_text,
    rate_notes,
    rate_sentences,
    scales_tried,
    scores_text,
)
from dysample.workbench.report.summary import (
    BASELINE,
    Group,
    OverSeeds,
    Row,
    Search,
    families,
    summarise,
    unfinished,
)
from dysample.workbench.report.verdict import (
    GUIDED,
    MORE,
    RULE,
    SPREAD,
    seeds_sentence,
    statements,
)
from dysample.workbench.report.wording import (
    KEEP,
    absent_sentence,
    head_sentence,
    others_sentence,
    settings_text,
    spread,
)
from dysample.workbench.terminal import WIDE, empty_table

Line = TypeVar("Line", Row, Search)


def print_table(records: Sequence[Record], output: str, console: Console) -> None:
    """A table with its sentences for every task, data set and setting in the records.

    Args:
        records: of a result file.
        output: the folder of that file, for commands.
        console: to print to.
    """
    groups = summarise(records)
    for family in families(groups):
        for group in family:
            console.print(Text(group.title, style="bold"))
            console.print(Text(settings_text(group), style="dim"))
            console.print(_table(group, console))
            _say(list(_sentences(group)), console)
            _print_rates(group, console)
            if (command := command_for_more(group, group.rows, output)) is not None:
                _say([MORE], console)
                console.print(
                    Text(indent(folded(command, console.width - 2), "  ")), soft_wrap=True
                )
            if group.others:
                console.print(_others_table(group, console))
                _say([others_sentence(group)], console)
            console.print()
        if sentence := head_sentence(family):
            _say([sentence], console)
        if len(family) > 1:
            console.print(_head_table(family, console))
        console.print()
    for group in unfinished(records):
        console.print(Text(group.title, style="bold"))
        console.print(Text(settings_text(group), style="dim"))
        _print_rates(group, console)
        console.print()
    _say(list(_notes(groups)), console)


def _sentences(group: Group) -> Iterator[str]:
    yield seeds_sentence(len(row.records) for row in group.rows)
    found = to_baseline(group)
    # Without bilinear the same is said of every measure.
    for metric in group.main if group.baseline is not None else group.main[:1]:
        yield " ".join(statements(group, group.rows, found, metric))
    if absent := absent_sentence(group):
        yield absent


def _notes(groups: Sequence[Group]) -> Iterator[str]:
    """How to read all the differences of a file: said once, below every table."""
    rows = [row for group in groups for row in group.rows]
    if any(len(values.by_seed) > 1 for row in rows for values in row.differences.values()):
        yield SPREAD
    if any(values.by_seed for row in rows for values in row.differences.values()):
        yield RULE
    if any(row.guided for row in rows):
        yield GUIDED


def _table(group: Group, console: Console) -> Table:
    wide = console.width >= WIDE
    table = empty_table(wide)
    table.add_column("upsampler", overflow="fold")
    heads = [text for key in group.main for text in (_head(group, key), f"diff. to\n{BASELINE}")]
    for name in ("seeds", *heads, "para-\nmeters", "GMACs", "train\nsec."):
        table.add_column(Text(name), justify="right", no_wrap=True)
    _fill(table, group.rows, lambda row: _cells(group, row, wide), console)
    return table


def _print_rates(group: Group, console: Console) -> None:
    """The search for learning rates, if there was one: results by scale, and the scale chosen."""
    if not group.searches:
        return
    scales = scales_tried(group.searches)
    table = empty_table(wide=False)
    table.add_column("learning rate x", overflow="fold")
    for name in (*(f"{scale:g}" for scale in scales), "chosen"):
        table.add_column(name, justify="right", no_wrap=True)

    def cells(one: Search) -> list[str]:
        return [one.name, *scores_text(one, group.main[0], scales), chosen_text(one)]

    console.print()
    _fill(table, group.searches, cells, console)
    console.print(table)
    _say([*rate_sentences(group), *rate_notes(group)], console)


def _others_table(group: Group, console: Console) -> Table:
    """The measures that have no column in the first table."""
    table = empty_table(wide=False)
    table.add_column("upsampler", overflow="fold")
    for key in group.others:
        table.add_column(Text(_head(group, key)), justify="right", no_wrap=True)

    def cells(row: Row) -> list[str]:
        return [row.name, *(_level(row.metrics[key]) for key in group.others)]

    _fill(table, group.rows, cells, console)
    return table


def _head(group: Group, key: str) -> str:
    return group.measures[key].short.replace(" ", "\n")


def _fill(
    table: Table, rows: Sequence[Line], cells: Callable[[Line], list[str]], console: Console
) -> None:
    """A line an upsampler, guided ones below a line of their own."""
    guided = False
    for row in rows:
        if row.guided and not guided:
            table.add_row(Text("guided:", style="italic"))
            guided = True
        table.add_row(*(_plain(cell, console) for cell in cells(row)))


def _cells(group: Group, row: Row, wide: bool) -> list[str]:
    cells = [row.name, str(len(row.records))]
    for metric in group.main:
        values = row.metrics[metric]
        cells.append(spread(values) if wide else _level(values))
        cells.append(spread(row.differences[metric], sign=True))
    record = row.records[0]
    parameters = f"+{count(record.parameters.upsamplers)}"
    return [*cells, parameters, three_digits(record.macs.total / 1e9), three_digits(row.seconds)]


def _level(values: OverSeeds) -> str:
    return "-" if values.mean is None else number(values.mean)


def _head_table(groups: Sequence[Group], console: Console) -> Table:
    """Differences to bilinear, the heads side by side."""
    table = empty_table(console.width >= WIDE)
    table.add_column("upsampler", overflow="fold")
    main = groups[0].main
    for key in main:
        for group in groups:
            head = Text(f"{group.measures[key].name}\n{group.head}")
            table.add_column(head, justify="right", no_wrap=True)
    by_head = [{row.name: row for row in group.rows} for group in groups]
    for name in dict.fromkeys(row.name for group in groups for row in group.rows):
        if name == BASELINE:
            continue
        cells = [
            spread(rows[name].differences[metric], sign=True) if name in rows else "-"
            for metric in main
            for rows in by_head
        ]
        table.add_row(*(_plain(cell, console) for cell in (name, *cells)))
    return table


def _say(sentences: Sequence[str], console: Console) -> None:
    """Sentences as a list whose further lines are indented."""
    for sentence in sentences:
        lines = textwrap.fill(
            f"- {_encodable(sentence, console)}",
            console.width,
            subsequent_indent="  ",
            break_on_hyphens=False,
        )
        console.print(Text(lines.replace(KEEP, " ")))


def _plain(text: str, console: Console) -> Text:
    """A cell: brackets in it are no markup."""
    return Text(_encodable(text, console))


def _encodable(text: str, console: Console) -> str:
    """The text for a console that may not know the plus-minus sign."""
    return text if console.encoding.lower().startswith("utf") else text.replace("±", "+-")
