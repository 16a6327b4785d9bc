"""The comparison: every upsampler and seed once, from where the last attempt stopped."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from dysample.workbench.costs import count_macs
from dysample.workbench.data.catalog import open_splits
from dysample.workbench.data.disk_set import DiskSet
from dysample.workbench.data.scan import check
from dysample.workbench.engines.base import Engine, Job, Outcome, Tell
from dysample.workbench.record import run_id
from dysample.workbench.results import ResultFile
from dysample.workbench.run import run_task
from dysample.workbench.settings import Settings, split_data
from dysample.workbench.tasks.by_name import task_class


@dataclass(frozen=True)
class Plan:
    """One run to be done."""

    run: str
    task: str
    upsampler: str
    seed: int

    @property
    def label(self) -> str:
        """Name for people."""
        return f"{self.task} {self.upsampler} seed {self.seed}"


def compare(
    data: str,
    tasks: Mapping[str, Settings],
    upsamplers: Sequence[str],
    seeds: int,
    output: Path,
    engine: Engine,
    console: Console,
) -> list[str]:
    """Train and evaluate what is not yet in `output`/results.jsonl, and append it there.

    Args:
        data: "scenes" or "NAME:PATH".
        tasks: by name, the settings of their runs.
        upsamplers: registered names.
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
    if seeds < 1:
        raise ValueError(f"`seeds` (={seeds}) must be at least 1")
    for name, given in (("tasks", tasks), ("upsamplers", upsamplers)):
        if not given:
            raise ValueError(f"`{name}` must name at least one")
    plans = _plans(data, tasks, upsamplers, seeds)
    output.mkdir(parents=True, exist_ok=True)
    results = ResultFile(output / "results.jsonl")
    with _alone_in(output):
        finished = results.finished()
        todo = [plan for plan in plans if plan.run not in finished]
        if len(todo) < len(plans):
            console.print(f"{len(plans) - len(todo)} of {len(plans)} runs are in {results.path}")
        if not todo:
            return []
        jobs = {plan.run: _job(plan, data, tasks[plan.task], output) for plan in todo}
        with engine.open():  # before the data, which can take longer
            _prepare(data, {plan.task: tasks[plan.task] for plan in todo}, console)
            return _run(todo, jobs, engine, results, console)


def _plans(
    data: str, tasks: Mapping[str, Settings], upsamplers: Sequence[str], seeds: int
) -> list[Plan]:
    """Every run, in the order in which to start them."""
    plans = []
    for task, settings in tasks.items():
        about = task_class(task).describe(data, settings)
        costs = {name: _cost(task, name, about, settings) for name in upsamplers}
        plans += [
            Plan(run_id(task, about, name, {}, seed, settings.to_dict()), task, name, seed)
            for seed in range(seeds)
            # The slowest first, so that no core idles at the end.
            for name in sorted(upsamplers, key=costs.__getitem__, reverse=True)
        ]
    # Seeds outermost, so that an early stop leaves whole pairs.
    return sorted(plans, key=lambda plan: plan.seed)


def _cost(task: str, name: str, about: dict[str, Any], settings: Settings) -> int:
    """Multiply-adds of an upsampler in the model; building it shows a user's mistake early."""
    try:
        model = task_class(task).build_model(name, {}, about, settings, seed=0)
    except (ValueError, TypeError) as error:
        part = "model" if settings.width is None else "width"
        where = f"`{part}` (={getattr(settings, part)})"
        raise type(error)(f"while building {name} at {where}: {error}") from error
    return count_macs(model, about["height"], about["width"])["upsamplers"]


def _prepare(data: str, tasks: Mapping[str, Settings], console: Console) -> None:
    """Look at, render or read the data once, so that its mistakes come before the first run."""
    if data != "scenes":
        for split in open_splits(data):
            check(split, console)
    with Progress(*_columns(), console=console, transient=True) as progress:
        for task, settings in tasks.items():
            bar = progress.add_task(f"{data.partition(':')[0]} for {task}", total=None)

            def tell(done: int, total: int, bar: TaskID = bar) -> None:
                progress.update(bar, completed=done, total=total)

            train, _ = task_class(task).load(data, settings, tell)
            if isinstance(train, DiskSet) and train.left_out:
                text = f"{train.left_out} training images without objects are left out of {task}"
                console.print(text, highlight=False, soft_wrap=True)


def _run(
    todo: list[Plan], jobs: dict[str, Job], engine: Engine, results: ResultFile, console: Console
) -> list[str]:
    failures: list[str] = []
    plans = {plan.run: plan for plan in todo}
    with Progress(*_columns(), console=console, transient=True) as progress:
        whole = progress.add_task("runs", total=len(todo))
        bars: dict[str, TaskID] = {}

        def on_step(run: str, done: int, total: int) -> None:
            if run not in bars:
                bars[run] = progress.add_task(plans[run].label, total=total)
            progress.update(bars[run], completed=done)

        for outcome in engine.run_jobs(jobs, on_step):
            plan = plans[outcome.run]
            if outcome.record is None:
                failures.append(f"{plan.label}: {outcome.error}")
            else:
                results.append(outcome.record)
            if outcome.run in bars:
                progress.remove_task(bars.pop(outcome.run))
            progress.advance(whole)
            progress.console.print(_line(plan, outcome), highlight=False, soft_wrap=True)
    return failures


def _job(plan: Plan, data: str, settings: Settings, output: Path) -> Job:
    name, source = split_data(data)
    if source:
        data = f"{name}:{Path(source).absolute()}"
    folder = output / "runs" / f"{plan.task}-{plan.upsampler}-seed{plan.seed}-{plan.run}"
    # A worker's working directory may be another one.
    folder = folder.absolute()
    return partial(_train, plan.task, plan.upsampler, plan.seed, data, settings, folder)


def _train(
    task: str,
    upsampler: str,
    seed: int,
    data: str,
    settings: Settings,
    folder: Path,
    progress: Tell,
) -> dict[str, Any]:
    return run_task(task, upsampler, seed, data, settings, folder, progress=progress)


def _line(plan: Plan, outcome: Outcome) -> str:
    """How a run ended: its two main metrics, or why it failed, and what got lost on the way."""
    if outcome.record is None:
        return f"{plan.label}: failed: {outcome.error}"
    metrics, seconds = outcome.record["metrics"], outcome.record["seconds"]
    main = [
        f"{measure['name']} " + ("-" if metrics[key] is None else f"{metrics[key]:.3f}")
        for key, measure in list(outcome.record["measures"].items())[:2]
    ]
    line = f"{plan.label}: {', '.join(main)}, {seconds['train'] + seconds['evaluate']:.0f} s"
    return line + (f", begun {outcome.lost_workers + 1} times" if outcome.lost_workers else "")


def _columns() -> tuple[TextColumn, BarColumn, MofNCompleteColumn, TimeElapsedColumn]:
    return (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )


@contextmanager
def _alone_in(output: Path) -> Iterator[None]:
    """Two comparisons in one folder would train the same runs over each other's checkpoints."""
    lock = FileLock(output / ".lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise ValueError(f"`output` (={output}) is in use by another comparison") from None
    try:
        yield
    finally:
        lock.release()
