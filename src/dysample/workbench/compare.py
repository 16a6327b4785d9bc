"""The comparison: every upsampler and seed once, from where the last attempt stopped."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress as Bars
from rich.progress import TaskID

from dysample.files import cleared, sweep
from dysample.workbench.callbacks import Progress
from dysample.workbench.choose import Choice
from dysample.workbench.costs.models import model_macs
from dysample.workbench.engines.base import Engine, Job, Outcome, Tell
from dysample.workbench.folders import alone_in
from dysample.workbench.headline import headline, say
from dysample.workbench.identity import run_id
from dysample.workbench.prepare import prepare
from dysample.workbench.record import Record
from dysample.workbench.results import RESULTS, ResultFile
from dysample.workbench.run import build, run_task
from dysample.workbench.settings import Settings, check_count, split_data
from dysample.workbench.tasks.by_name import task_class
from dysample.workbench.terminal import columns


@dataclass(frozen=True)
class Plan:
    """One run to be done."""

    run: str
    task: str
    upsampler: Choice
    seed: int

    @property
    def label(self) -> str:
        """Name for people."""
        return f"{self.task} {self.upsampler.label} seed {self.seed}"


def compare(
    data: str,
    tasks: Mapping[str, Settings],
    upsamplers: Sequence[Choice],
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
    plans = _plans(data, tasks, upsamplers, seeds)
    results = ResultFile(output / RESULTS)
    with alone_in(output), cleared(output / "runs"):
        sweep(output)  # a page that was being written when its writer was killed
        finished = results.finished()
        todo = [plan for plan in plans if plan.run not in finished]
        if len(todo) < len(plans):
            say(console, f"{len(plans) - len(todo)} of {len(plans)} runs are in {results.path}")
        if not todo:
            return []
        jobs = {plan.run: _job(plan, data, tasks[plan.task], output) for plan in todo}
        with engine.open():  # before the data, which can take longer
            prepare(data, {plan.task: tasks[plan.task] for plan in todo}, console)
            return _run(todo, jobs, engine, results, console)


def _plans(
    data: str, tasks: Mapping[str, Settings], upsamplers: Sequence[Choice], seeds: int
) -> list[Plan]:
    """Every run, in the order in which to start them."""
    plans = []
    for task, settings in tasks.items():
        about = task_class(task).describe(data, settings)
        # The slowest first, so that no core idles at the end.
        slowest_first = sorted(
            upsamplers, key=lambda choice: _cost(task, choice, about, settings), reverse=True
        )
        plans += [
            Plan(
                run_id(task, about, choice.name, choice.options, seed, settings.to_dict()),
                task,
                choice,
                seed,
            )
            for seed in range(seeds)
            for choice in slowest_first
        ]
    # Seeds outermost, so that an early stop leaves whole pairs.
    return sorted(plans, key=lambda plan: plan.seed)


def _cost(task: str, choice: Choice, about: dict[str, Any], settings: Settings) -> int:
    """Multiply-adds of an upsampler in the model; building it shows a user's mistake early."""
    try:
        model = build(task, choice.name, choice.options, about, settings, seed=0)
    except (ValueError, TypeError) as error:
        part = "model" if settings.width is None else "width"
        where = f"`{part}` (={getattr(settings, part)})"
        raise type(error)(f"while building {choice.label} at {where}: {error}") from error
    return model_macs(model, about["height"], about["width"])["upsamplers"]


def _run(
    todo: list[Plan], jobs: dict[str, Job], engine: Engine, results: ResultFile, console: Console
) -> list[str]:
    failures: list[str] = []
    plans = {plan.run: plan for plan in todo}
    with Bars(*columns(), console=console, transient=True) as progress:
        whole = progress.add_task("runs", total=len(todo))
        bars: dict[str, TaskID] = {}

        def on_step(run: str, done: int, total: int) -> None:
            if run not in bars:
                bars[run] = progress.add_task(plans[run].label, total=total)
            progress.update(bars[run], completed=done)

        # Closed at once if this is stopped, and with it what still runs.
        with closing(engine.run_jobs(jobs, on_step)) as outcomes:
            for outcome in outcomes:
                plan = plans[outcome.run]
                if outcome.record is None:
                    failures.append(f"{plan.label}: {outcome.error}")
                else:
                    results.append(outcome.record.to_line())
                if outcome.run in bars:
                    progress.remove_task(bars.pop(outcome.run))
                progress.advance(whole)
                say(progress.console, _line(plan, outcome))
    return failures


def _job(plan: Plan, data: str, settings: Settings, output: Path) -> Job:
    name, source = split_data(data)
    if source:
        data = f"{name}:{Path(source).absolute()}"
    folder = run_folder(output, plan.task, plan.upsampler.name, plan.seed, plan.run)
    # A worker's working directory may be another one.
    folder = folder.absolute()
    return partial(_train, plan.task, plan.upsampler, plan.seed, data, settings, folder)


def run_folder(output: Path, task: str, upsampler: str, seed: int, run: str) -> Path:
    """Where a run's checkpoints and logs are, in the folder of a comparison."""
    return output / "runs" / f"{task}-{upsampler}-seed{seed}-{run}"


def _train(
    task: str,
    upsampler: Choice,
    seed: int,
    data: str,
    settings: Settings,
    folder: Path,
    progress: Tell,
) -> Record:
    return run_task(
        task,
        upsampler.name,
        seed,
        data,
        settings,
        folder,
        upsampler_options=upsampler.options,
        callbacks=[Progress(progress)],
        # The report shows the first seed's; those of all would make a large file.
        pictures=seed == 0,
    )


def _line(plan: Plan, outcome: Outcome) -> str:
    """How a run ended: its two main metrics, or why it failed, and what got lost on the way."""
    if outcome.record is None:
        return f"{plan.label}: failed: {outcome.error}"
    record, seconds = outcome.record, outcome.record.seconds
    main = headline(record.measures, record.metrics)
    line = f"{plan.label}: {main}, {seconds.train + seconds.evaluate:.0f} s"
    if not outcome.lost_workers:
        return line
    times = "once" if outcome.lost_workers == 1 else f"{outcome.lost_workers} times"
    return f"{line}, restarted {times}"
