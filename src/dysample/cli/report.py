"""`dysample report`."""

from pathlib import Path

import click
from rich.console import Console


@click.command()
@click.argument("results", metavar="RESULTS|FOLDER", type=click.Path(path_type=Path, exists=True))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the page and its figures.  [default: that of the results]",
)
def report(results: Path, output: Path | None) -> None:
    """Print the table of a result file and write the page, without training anything.

    For a FOLDER, the results.jsonl in it is read. Open DIR/report.html in a browser; it is one
    self-contained file. report.md holds its text and tables, report.csv every number.
    """
    if results.is_dir():
        results = _results_in(results)
    from dysample.workbench.report.report import write_report

    write_report(results, output or results.parent, Console())


def _results_in(folder: Path) -> Path:
    found = folder / "results.jsonl"
    if not found.exists():
        below = ", ".join(str(path.parent) for path in sorted(folder.glob("*/results.jsonl"))[:4])
        hint = f"; there is one in {below}" if below else ""
        raise FileNotFoundError(f"folder {folder} must hold results.jsonl, but has none{hint}")
    return found
