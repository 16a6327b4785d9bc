"""`dysample bench`."""

from pathlib import Path

import click
from rich.console import Console

from dysample.cli.options import FILE, check_folder, given, option


@click.command()
@option("--suite", "'paper', 'kernels', 'small', 'sweep', 'upsamplers', or 'all'.", str, "all")
@option("--only", "Pattern of workloads, or of rows: 'W1', 'W*/published'.", str, "*")
@option("--rounds", "Counted rounds; every round runs each row once.", click.IntRange(1), 15)
@click.option("--warm", is_flag=True, help="Run only with a warm allocator.")
@click.option("--json", "file", type=FILE, help="Also append the rows to this file.")
@click.option("--markdown", is_flag=True, help="Print the table in Markdown.")
@click.option("--read", type=FILE, help="Measure nothing: show the rows of this file.")
@click.pass_context
def bench(
    context: click.Context,
    /,
    suite: str,
    only: str,
    rounds: int,
    warm: bool,
    file: Path | None,
    markdown: bool,
    read: Path | None,
) -> None:
    """Time the upsamplers and other implementations against each other, on one core.

    The rows of a workload run in turn. "ratio" is the time of a row over that of the first row,
    which is ours. Before it is timed, each row is compared with plain torch in float64. Everything
    runs twice: with the default malloc, where the system clears the pages of every large result,
    and with a warm allocator, which reuses freed memory.
    """
    from dysample.workbench.bench import run
    from dysample.workbench.bench.table import by_workload, show

    if read is not None:
        for parameter in ("rounds", "file"):
            if given(context, parameter):
                raise click.UsageError("--read measures nothing: leave --rounds and --json out")
        if not read.is_file():
            raise click.UsageError(f"`--read` must be a file of --json's that exists: {read}")
    # Fail now rather than after half an hour.
    check_folder("--json", file)
    if read is None:
        parts = run.run(suite, only, rounds, ("warm",) if warm else run.regimes(), file)
    else:
        parts = by_workload(run.read(read, suite, only, warm))
    show(parts, markdown, Console())
