"""Bars and tables on the terminal."""

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

WIDE = 100
"""Console width from which columns of tables stand further apart."""


def bars(console: Console) -> Progress:
    """Progress bars with a count, removed at the end; not shown without a terminal."""
    shown = console.is_terminal
    return Progress(*columns(), console=console, transient=True, disable=not shown)


def columns() -> tuple[ProgressColumn, ...]:
    """Return the columns of a progress bar with a count."""
    return (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )


def empty_table(wide: bool) -> Table:
    """Return an empty table with a line below its head."""
    return Table(
        box=SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        # The box puts one more space between columns.
        padding=(0, 2 if wide else 0, 0, 0),
        header_style="bold",
    )
