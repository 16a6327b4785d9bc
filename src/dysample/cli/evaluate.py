"""`dysample evaluate`."""

from pathlib import Path

import click
from rich.console import Console

from dysample.cli.options import FILE


@click.command()
@click.argument("path", metavar="FOLDER|CHECKPOINT", type=click.Path(path_type=Path, exists=True))
@click.option(
    "--data",
    help="'scenes' or NAME:PATH, of the same classes.  [default: the data of the training]",
)
@click.option("--json", "file", type=FILE, help="Also write the metrics to this file.")
def evaluate(path: Path, data: str | None, file: Path | None) -> None:
    """Evaluate a model that `dysample train` has trained, on a validation split.

    In a FOLDER the best checkpoint is evaluated, or the last one if there is no best.
    """
    from dysample.workbench.training.evaluate import evaluate as run_evaluation

    run_evaluation(path, data, file, Console())
