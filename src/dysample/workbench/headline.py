"""Format and print the metrics of a run."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dysample.workbench.record import MAIN, Measure


def say(console: Console, line: str) -> None:
    """Print a line without interpreting brackets in it as rich's markup."""
    console.print(line, markup=False, emoji=False, highlight=False, soft_wrap=True)


def headline(measures: Mapping[str, Measure], metrics: Mapping[str, Any]) -> str:
    """The main metrics of a run in one line."""
    main = list(measures.items())[:MAIN]
    return ", ".join(f"{measure.name} {_number(metrics[key])}" for key, measure in main)


def print_metrics(
    measures: Mapping[str, Measure], metrics: Mapping[str, Any], title: str, console: Console
) -> None:
    """Print every metric, then a table of the metrics by class.

    Args:
        measures: of a record.
        metrics: of a record; dictionaries hold one by class.
        title: above the table.
        console: to print to.
    """
    say(console, title)
    table = _table("measure", "value")
    for key, measure in measures.items():
        table.add_row(Text(measure.name), _number(metrics[key]))
    console.print(table)
    by_class = {key: value for key, value in metrics.items() if isinstance(value, Mapping)}
    if not by_class:
        return
    table = _table("class", *(key.removeprefix("class_").replace("_", " ") for key in by_class))
    for name in next(iter(by_class.values())):
        table.add_row(Text(name), *(_number(values[name]) for values in by_class.values()))
    console.print(table)
    if any(value is None for values in by_class.values() for value in values.values()):
        say(console, "-: not in the labels, and left out of means over classes")


def _table(first: str, *columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(first, no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right")
    return table


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
