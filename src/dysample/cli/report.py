"""`dysample report`."""

from pathlib import Path

import click
from rich.console import Console


@click.command()
@click.argument("results", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the figures.  [default: that of RESULTS]",
)
def report(results: Path, output: Path | None) -> None:
    """Print the table of a result file and draw its figures, without training anything."""
    from dysample.report.report import write_report

    write_report(results, output or results.parent, Console())
