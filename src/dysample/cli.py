"""The command line: one verb each, thin; the parts are imported when their verb is called."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

try:
    import click
    from rich.console import Console
except ImportError as missing:  # the operators are installed alone
    sys.exit(f"dysample: error: no module {missing.name}: pip install 'dysample[all]'")

FILE = click.Path(path_type=Path, dir_okay=False)
MISTAKES = (ValueError, TypeError, FileNotFoundError, NotADirectoryError, PermissionError)
Verb = TypeVar("Verb", bound=Callable[..., Any])


def main() -> None:
    """Run the command line; a user's mistake is one line on stderr and exit code 2."""
    try:
        code = verbs(standalone_mode=False)
    except click.ClickException as error:
        _fail(error.format_message())
    except (*MISTAKES, ChildProcessError) as error:
        _fail(str(error))
    except ModuleNotFoundError as error:  # of an extra that is not installed
        _fail(f"no module {error.name}: pip install 'dysample[all]'")
    except (KeyboardInterrupt, click.Abort):
        click.echo("dysample: stopped; the same command goes on from here", err=True)
        sys.exit(130)
    sys.exit(code)


def _fail(message: str) -> None:
    click.echo(f"dysample: error: {' '.join(message.split())}", err=True)
    sys.exit(2)


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="dysample", prog_name="dysample")
@click.pass_context
def verbs(context: click.Context) -> None:
    """Feature upsamplers for dense prediction: compare them, and look at the results."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def _option(name: str, help_text: str, kind: Any, default: Any = None) -> Callable[[Verb], Verb]:
    """An option that shows its default; without one the recipe of task and data holds it."""
    if default is None:
        help_text += "  [default: depends on task and data]"
        return click.option(name, type=kind, help=help_text)
    return click.option(name, type=kind, default=default, show_default=True, help=help_text)


@verbs.command()
@_option(
    "--upsamplers",
    "Names or patterns like 'dysample*', separated by commas; or 'all'.",
    str,
    "nearest,bilinear,carafe,dysample,dysample_s_plus",
)
@_option("--seeds", "Runs of each upsampler, paired by seed.", click.IntRange(1), 2)
@_option(
    "--tasks",
    "What the models learn: semantic, detection, instance, panoptic, depth, separated by commas;"
    " or 'all'.",
    str,
    "semantic",
)
@_option("--data", "'scenes' (embedded), or for semantic NAME:PATH: see `data`.", str, "scenes")
@_option("--head", "'plain', or 'skip' to concatenate the finest features: semantic, depth.", str)
@_option("--steps", "Optimiser steps.", int)
@_option("--batch-size", "Images a step.", int)
@_option("--learning-rate", "Peak learning rate.", float)
@_option("--weight-decay", "Weight decay of AdamW.", float)
@_option("--width", "Channels of the head or feature pyramid.", int)
@_option("--size", "Image height in pixels.", int)
@_option("--train-frames", "Training images.", int)
@_option("--val-frames", "Validation images.", int)
@_option(
    "--output",
    "Folder for results.jsonl, figures, checkpoints and logs.",
    click.Path(path_type=Path, file_okay=False),
    Path("runs/compare"),
)
@click.option(
    "--workers",
    type=click.IntRange(1),
    help="Runs at a time.  [default: one for each core, or each CPU of the Ray cluster]",
)
@_option("--engine", "'local' processes, or 'ray' for one or several machines.", str, "local")
@click.option("--address", help="Running Ray cluster: 'auto' or HOST:PORT.  [default: start one]")
@click.pass_context
def compare(
    context: click.Context,
    /,
    upsamplers: str,
    seeds: int,
    tasks: str,
    data: str,
    output: Path,
    workers: int | None,
    engine: str,
    address: str | None,
    **settings: Any,
) -> None:
    """Train the same small models with each upsampler and report which one helps.

    Only the upsampling steps differ between runs of one seed. Each finished run is a line of
    OUTPUT/results.jsonl; runs already there are not done again, and a comparison that was
    stopped goes on where it was. Then the table is printed and the figures are drawn.
    """
    from dysample.report.report import write_report
    from dysample.workbench.choose import choose_tasks, choose_upsamplers
    from dysample.workbench.compare import compare as run_comparison
    from dysample.workbench.engines.by_name import choose_engine
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
    )
    results = output / "results.jsonl"
    if results.exists():
        write_report(results, output, console)
    for failure in failures:
        click.echo(f"dysample: failed: {failure}", err=True)
    if failures:
        context.exit(1)


@verbs.command()
def info() -> None:
    """Versions, processor, and whether the fast CPU kernels are there; if not, how to get them."""
    from rich.table import Table

    from dysample.info import system_info

    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column()
    for name, value in system_info().items():
        table.add_row(name, value)
    Console(highlight=False).print(table)


@verbs.command()
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


@verbs.command()
@click.argument("data", metavar="NAME:PATH")
@click.option(
    "--preview",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a PNG of some samples with their targets drawn over them.",
)
@click.pass_context
def data(context: click.Context, /, data: str, preview: Path | None) -> None:
    """Look at every file of a data set on disk, and print what it holds.

    NAME is one of ade20k, camvid, cityscapes, coco_detection, coco_instance, coco_panoptic,
    folders, kitti, nyu, pennfudan, voc; PATH the folder in which it was unpacked. Exit code 1 if
    there are files that cannot be used; each is named.
    """
    from dysample.workbench.data.catalog import open_splits
    from dysample.workbench.data.overview import print_overview
    from dysample.workbench.data.preview import draw_preview
    from dysample.workbench.data.scan import scan

    progress = Console(stderr=True)
    scanned = [(split, scan(split, progress)) for split in open_splits(data)]
    print_overview(scanned, Console())
    if preview is not None:
        draw_preview([split.without(set(found.problems)) for split, found in scanned], preview)
    if any(found.problems for _, found in scanned):
        context.exit(1)


@verbs.command()
@click.argument("name", required=False)
@_option("--in-channels", "Channels of the input.", click.IntRange(1), 256)
@_option("--height", "Its height in pixels.", click.IntRange(1), 120)
@_option("--width", "Its width in pixels.", click.IntRange(1), 120)
@_option("--scale-factor", "Output size over input size.", float, 2.0)
@click.option(
    "--guide-channels",
    type=click.IntRange(1),
    help="Channels of the guide, of guided upsamplers.  [default: those of the input]",
)
@click.option("--published", is_flag=True, help="The costs that the papers print, beside ours.")
@click.pass_context
def cost(
    context: click.Context,
    /,
    name: str | None,
    in_channels: int,
    height: int,
    width: int,
    scale_factor: float,
    guide_channels: int | None,
    published: bool,
) -> None:
    """Parameters, multiply-adds (MACs) and memory of upsampler NAME, or of all of them.

    One image, float32, plain PyTorch operations, no gradients. By default the workload on which
    the DySample paper compares latencies.

    "formula" is the upsampler's own count, as in the papers. "counted" is what a forward pass
    does, by torch's flop counter: convolutions and matrix products, and what that counter passes
    over: products of two tensors (1 an element), blends (2 an element) and bilinear samples (4 an
    element). Sums, softmax and other functions, normalisation, pooling and copies are not counted.

    "peak" is the most that torch's allocator has given out at a time during the pass, the output
    included, input and parameters not.
    """
    # The profiler that sees the memory would write its log among the errors.
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")
    from dysample.costs import measure_cost, measure_costs
    from dysample.costs.tables import print_costs, print_published
    from dysample.registry import get_entry, list_upsamplers

    console = Console()
    if published:
        for parameter in context.params:
            if parameter != "published" and _given(context, parameter):
                raise click.UsageError(
                    f"--published compares at the papers' sizes: leave {parameter} out"
                )
        print_published(console)
        return
    sizes = (in_channels, height, width, scale_factor)
    if name is None:
        with Console(stderr=True).status("measuring every upsampler"):
            costs, refused = measure_costs(list_upsamplers(), *sizes, guide_channels)
        if not costs:
            raise click.UsageError(next(iter(refused.values())))
    else:
        options = {} if guide_channels is None else {"guide_channels": guide_channels}
        if options and not get_entry(name).guided:
            raise click.UsageError(f"--guide-channels: {name} reads no guide")
        costs, refused = [measure_cost(name, *sizes, **options)], {}
    title = f"{in_channels} channels, {height}x{width}, scale factor {scale_factor:g}"
    print_costs(costs, refused, title, console)


@verbs.command()
@click.argument("model")
@_option("--height", "Height of the image on which it runs.", click.IntRange(1), 256)
@_option("--width", "Its width.", click.IntRange(1), 256)
@click.option("--upsampler", help="Also tell where this one could be put.")
@click.option("--trust", is_flag=True, help="Load a file although it can run any code.")
def sites(model: str, height: int, width: int, upsampler: str | None, trust: bool) -> None:
    """Find the steps at which a model upsamples, by running it once on a random image.

    MODEL is package.module:factory, called without arguments and without pretrained weights, or a
    file that torch.save wrote.

    A step is a module, by its path, or a call of F.interpolate, by the path of the module that
    calls and the number of the call. `dysample.replace_upsamplers` replaces those that upsample
    features, or others by their names.
    """
    from dysample.surgery import find_sites, replace_upsamplers
    from dysample.surgery.loading import example_for, load_model
    from dysample.surgery.report import site_table

    loaded = load_model(model, trust=trust)
    image = example_for(loaded, height, width)
    try:
        if upsampler is None:
            table = site_table(find_sites(loaded, image))
        else:
            _, plan = replace_upsamplers(loaded, upsampler, example_inputs=image, dry_run=True)
            table = str(plan)
    except RuntimeError as error:
        raise click.UsageError(f"{model} does not run on {height}x{width}: {error}") from error
    click.echo(table)


def _given(context: click.Context, parameter: str) -> bool:
    source = context.get_parameter_source(parameter)
    return source is click.core.ParameterSource.COMMANDLINE


@verbs.command()
@_option("--suite", "'paper', 'kernels', 'small', 'sweep', 'upsamplers', or 'all'.", str, "all")
@_option("--only", "Pattern of workloads, or of rows: 'W1', 'W*/published'.", str, "*")
@_option("--rounds", "Counted rounds; every round runs each row once.", click.IntRange(1), 15)
@click.option("--warm", is_flag=True, help="Only where malloc uses freed memory again.")
@click.option("--json", "file", type=FILE, help="Also append the rows to this file.")
@click.option("--figure", type=FILE, help="Also draw the ratios and the size sweep (PNG).")
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
    figure: Path | None,
    markdown: bool,
    read: Path | None,
) -> None:
    """Time the upsamplers and their rivals against each other, on one core.

    The rows of a workload take turns. The first one is ours, and "ratio" says how many times as
    long as that another one takes. Each row is first compared with plain torch in float64.

    Everything runs twice: with malloc as it is, where the system clears the pages of every large
    result, and warm, where malloc uses freed memory again.
    """
    from dysample.bench import results, run
    from dysample.bench.table import by_workload, show

    if read is not None:
        for parameter in ("rounds", "file"):
            if _given(context, parameter):
                raise click.UsageError("--read measures nothing: leave --rounds and --json out")
    # What would fail after half an hour is better tried now.
    if figure is not None:
        from dysample.report.speed import draw_speed

        if not figure.parent.is_dir():
            raise click.UsageError(f"`--figure` must lie in a folder that exists: {figure.parent}")
    if read is None:
        parts = run.run(suite, only, rounds, ("warm",) if warm else run.regimes(), file)
    else:
        parts = by_workload(results.read(read, suite, only, warm))
    rows = show(parts, markdown, Console())
    if figure is not None:
        draw_speed(rows, figure)
