"""Run a comparison: every upsampler and seed once, without the runs that are finished."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, TaskID

from dysample.files import cleared, sweep
from dysample.workbench.choose import UpsamplerSpec
from dysample.workbench.compare.engines.base import Engine, Job, Outcome, Tell
from dysample.workbench.costs.models import model_macs
from dysample.workbench.folders import alone_in
from dysample.workbench.headline import headline, say
from dysample.workbench.record import Record
from dysample.workbench.results import RESULTS, ResultFile
from dysample.workbench.run_spec import RunSpec
from dysample.workbench.settings import Settings, check_count, split_data
from dysample.workbench.terminal import columns
from dysample.workbench.training.callbacks import StepReporter
from dysample.workbench.training.prepare import prepare
from dysample.workbench.training.run import run_task
from dysample.workbench.training_options import TrainingOptions


def compare(
    data: str,
    tasks: Mapping[str, Settings],
    upsamplers: Sequence[UpsamplerSpec],
    seeds: int,
    output: Path,
    engine: Engine,
    console: Console,
) -> list[str]:
    """Train and evaluate what is not yet in `output`/results.jsonl, and append it there.

    Args:
        data: "scenes" or "NAME:PATH".
        tasks: by name, the settings of their runs.
        upsamplers: from `choose_upsamplers`.
        seeds: seeds 0 .. seeds - 1.
        output: folder for the result file and, in `runs/`, checkpoints and logs.
        engine: where the runs are done, from `choose_engine`.
        console: for progress; on a terminal as bars, otherwise a line a finished run.

    Returns:
        One line for each run that failed; the others are in the file.

    Raises:
        ValueError, TypeError, FileNotFoundError, ModuleNotFoundError: a user's mistake, before
            anything is trained.
    """
    check_count("seeds", seeds, most=10_000)
    for name, given in (("tasks", tasks), ("upsamplers", upsamplers)):
        if not given:
            raise ValueError(f"`{name}` must name at least one")
    specs = {spec.id: spec for spec in _specs(data, tasks, upsamplers, seeds)}
    results = ResultFile(output / RESULTS)
    with alone_in(output), cleared(output / "runs"):
        sweep(output)  # a page that was being written when its writer was killed
        finished = results.finished()
        todo = {run: spec for run, spec in specs.items() if run not in finished}
        if len(todo) < len(specs):
            say(console, f"{len(specs) - len(todo)} of {len(specs)} runs are in {results.path}")
        if not todo:
            return []
        with engine.open():  # before the data, which can take longer
            prepare(data, {spec.task: spec.settings for spec in todo.values()}, console)
            return _run(todo, output, engine, results, console)


def _specs(
    data: str, tasks: Mapping[str, Settings], upsamplers: Sequence[UpsamplerSpec], seeds: int
) -> list[RunSpec]:
    """Every run, in the order in which to start them."""
    specs = []
    for task, settings in tasks.items():
        first = RunSpec(task, data, upsamplers[0], 0, settings, TrainingOptions(accelerator="cpu"))
        about = first.about  # the same for all, and read from the disk once
        of_task = [replace(first, upsampler=one).with_about(about) for one in upsamplers]
        # The slowest first, so that no core idles at the end.
        specs += sorted(of_task, key=_cost, reverse=True)
    # Seeds outermost, so that an early stop leaves whole pairs.
    return [
        replace(spec, seed=seed).with_about(spec.about) for seed in range(seeds) for spec in specs
    ]


def _cost(spec: RunSpec) -> int:
    """Return the multiply-adds of a model's upsamplers; building it reports wrong options early."""
    try:
        model = spec.build_model()
    except (ValueError, TypeError) as error:
        part = "model" if spec.settings.width is None else "width"
        where = f"`{part}` (={getattr(spec.settings, part)})"
        raise type(error)(f"while building {spec.upsampler.label} at {where}: {error}") from error
    return model_macs(model, spec.about["height"], spec.about["width"])["upsamplers"]


def _run(
    specs: dict[str, RunSpec], output: Path, engine: Engine, results: ResultFile, console: Console
) -> list[str]:
    failures: list[str] = []
    jobs = {run: _job(spec, output) for run, spec in specs.items()}
    with Progress(*columns(), console=console, transient=True) as progress:
        whole = progress.add_task("runs", total=len(specs))
        bars: dict[str, TaskID] = {}

        def on_step(run: str, done: int, total: int) -> None:
            if run not in bars:
                bars[run] = progress.add_task(specs[run].label, total=total)
            progress.update(bars[run], completed=done)

        # Closed at once if this is stopped, and with it what still runs.
        with closing(engine.run_jobs(jobs, on_step)) as outcomes:
            for outcome in outcomes:
                label = specs[outcome.run].label
                if outcome.record is None:
                    failures.append(f"{label}: {outcome.error}")
                else:
                    results.append(outcome.record.to_line())
                if outcome.run in bars:
                    progress.remove_task(bars.pop(outcome.run))
                progress.advance(whole)
                say(progress.console, _line(label, outcome))
    return failures


def _job(spec: RunSpec, output: Path) -> Job:
    # A worker's working directory may be another one.
    folder = spec.folder(output).absolute()
    name, source = split_data(spec.data)
    if source:
        spec = replace(spec, data=f"{name}:{Path(source).absolute()}")
    return partial(_train, spec, folder)


def _train(spec: RunSpec, folder: Path, tell: Tell) -> Record:
    # The report shows the pictures of the first seed; those of all would make a large file.
    return run_task(spec, folder, callbacks=[StepReporter(tell)], pictures=spec.seed == 0)


def _line(label: str, outcome: Outcome) -> str:
    """Return one line on a run: its two main metrics or its error, and restarts."""
    if outcome.record is None:
        return f"{label}: failed: {outcome.error}"
    record, seconds = outcome.record, outcome.record.seconds
    main = headline(record.measures, record.metrics)
    line = f"{label}: {main}, {seconds.train + seconds.evaluate:.0f} s"
    if not outcome.lost_workers:
        return line
    times = "once" if outcome.lost_workers == 1 else f"{outcome.lost_workers} times"
    return f"{line}, restarted {times}"
