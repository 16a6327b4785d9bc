"""`dysample compare`."""

from pathlib import Path
from typing import Any

import click
from rich.console import Console

from dysample.cli.options import hyphenated, option, settings_options


@click.command(context_settings={"token_normalize_func": hyphenated})
@option(
    "--upsamplers",
    "Names, names with options like 'dysample(groups=8)', or patterns like 'dysample*', separated"
    " by commas; or 'all'.",
    str,
    "nearest,bilinear,carafe,dysample,dysample_s_plus",
)
@option("--seeds", "Runs of each upsampler, paired by seed.", click.IntRange(1), 2)
@option(
    "--tasks",
    "What the models learn: semantic, detection, instance, panoptic, depth, separated by commas;"
    " or 'all'.",
    str,
    "semantic",
)
@option("--data", "'scenes' (embedded), or NAME:PATH: see `data`.", str, "scenes")
@settings_options()
@click.option(
    "--tune",
    is_flag=True,
    help="Choose the learning rate of each upsampler on training images that are held out: 1, 0.3,"
    " 0.1 or 0.03 times what it is otherwise.",
)
@option(
    "--output",
    "Folder for results.jsonl, the page, figures, checkpoints and logs.",
    click.Path(path_type=Path, file_okay=False),
    Path("runs/compare"),
)
@click.option(
    "--workers",
    type=click.IntRange(1),
    help="Runs at a time.  [default: one for each core, or each CPU of the Ray cluster]",
)
@option("--engine", "'local' processes, or 'ray' for one or several machines.", str, "local")
@click.option("--address", help="Running Ray cluster: 'auto' or HOST:PORT.  [default: start one]")
@click.pass_context
def compare(
    context: click.Context,
    /,
    upsamplers: str,
    seeds: int,
    tasks: str,
    data: str,
    tune: bool,
    output: Path,
    workers: int | None,
    engine: str,
    address: str | None,
    **settings: Any,
) -> None:
    """Train the same small models with each upsampler and report which one helps.

    Only the upsampling steps differ between runs of one seed. Each finished run is a line of
    OUTPUT/results.jsonl and is not repeated; run the same command again to resume a comparison. At
    the end the table is printed, and the page with all figures and tables is written to
    OUTPUT/report.html.
    """
    from dysample.workbench.choose import choose_tasks, choose_upsamplers
    from dysample.workbench.compare.comparison import compare as run_comparison
    from dysample.workbench.compare.engines.by_name import choose_engine
    from dysample.workbench.report.report import write_report
    from dysample.workbench.settings import settings_of

    console = Console()
    failures = run_comparison(
        data,
        settings_of(choose_tasks(tasks), data, **settings),
        choose_upsamplers(upsamplers),
        seeds,
        output,
        choose_engine(engine, workers, address),
        console,
        tune,
    )
    results = output / "results.jsonl"
    if results.exists():
        write_report(results, output, console)
    for failure in failures:
        click.echo(f"dysample: failed: {failure}", err=True)
    if failures:
        context.exit(1)
