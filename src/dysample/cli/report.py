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
    help="Folder for the page and its figures.  [default: that of RESULTS]",
)
def report(results: Path, output: Path | None) -> None:
    """Print the table of a result file and write the page, without training anything.

    DIR/report.html needs neither a network nor the files beside it: open it in a browser.
    report.md holds its text and tables, report.csv every number.
    """
    from dysample.report.report import write_report

    write_report(results, output or results.parent, Console())
