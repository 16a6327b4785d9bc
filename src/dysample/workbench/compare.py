"""The comparison: every upsampler and seed once, from where the last attempt stopped."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress as Bars
from rich.progress import TaskID

from dysample.registry import get_entry, list_upsamplers
from dysample.workbench.callbacks import Progress
from dysample.workbench.costs import count_macs
from dysample.workbench.engine import Job, Outcome, run_jobs
from dysample.workbench.files import alone_in
from dysample.workbench.headline import headline
from dysample.workbench.prepare import columns, prepare
from dysample.workbench.record import run_id
from dysample.workbench.results import ResultFile
from dysample.workbench.run import run_task
from dysample.workbench.settings import TASKS, Settings
from dysample.workbench.tasks.by_name import task_class

DESIGN_STEPS = "dysample_step_*"


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


def choose_tasks(text: str) -> list[str]:
    """Names of a comma-separated list, in the given order; "all" stands for every task.

    Raises:
        ValueError: an unknown name.
    """
    names: list[str] = []
    for word in (word.strip() for word in text.split(",")):
        if word != "all" and word not in TASKS:
            raise ValueError(f"`tasks` (={word!r}) must be 'all' or of {', '.join(TASKS)}")
        names += [name for name in (TASKS if word == "all" else [word]) if name not in names]
    return names


def choose_upsamplers(text: str) -> list[str]:
    """Names of a comma-separated list of names and shell patterns, in the given order.

    "all" stands for every registered upsampler except the design steps of the paper's ablation.

    Raises:
        ValueError: an unknown name, or a pattern that no name fits.
    """
    names: list[str] = []
    for word in (word.strip() for word in text.split(",")):
        if word == "all":
            steps = set(list_upsamplers(DESIGN_STEPS))
            found = [name for name in list_upsamplers() if name not in steps]
        elif any(mark in word for mark in "*?["):
            found = list_upsamplers(word)
            if not found:
                raise ValueError(f"`upsamplers` (={word!r}) must fit a name of the registry")
        else:
            try:
                found = [get_entry(word).name]
            except ValueError as error:
                raise ValueError(f"in `upsamplers`: {error}") from error
        names += [name for name in found if name not in names]
    return names


def compare(
    data: str,
    tasks: Mapping[str, Settings],
    upsamplers: Sequence[str],
    seeds: int,
    output: Path,
    workers: int,
    console: Console,
) -> list[str]:
    """Train and evaluate what is not yet in `output`/results.jsonl, and append it there.

    Args:
        data: "scenes" or "NAME:PATH".
        tasks: by name, the settings of their runs.
        upsamplers: registered names.
        seeds: seeds 0 .. seeds - 1.
        output: folder for the result file and, in `runs/`, checkpoints and logs.
        workers: processes.
        console: for progress; on a terminal as bars, otherwise a line a finished run.

    Returns:
        One line for each run that failed; the others are in the file.

    Raises:
        ValueError, TypeError, FileNotFoundError, ModuleNotFoundError: a user's mistake, before
            anything is trained.
    """
    for name, value in (("seeds", seeds), ("workers", workers)):
        if value < 1:
            raise ValueError(f"`{name}` (={value}) must be at least 1")
    for name, given in (("tasks", tasks), ("upsamplers", upsamplers)):
        if not given:
            raise ValueError(f"`{name}` must name at least one")
    plans = _plans(data, tasks, upsamplers, seeds)
    results = ResultFile(output / "results.jsonl")
    with alone_in(output):
        finished = results.finished()
        todo = [plan for plan in plans if plan.run not in finished]
        if len(todo) < len(plans):
            console.print(f"{len(plans) - len(todo)} of {len(plans)} runs are in {results.path}")
        if not todo:
            return []
        jobs = {plan.run: _job(plan, data, tasks[plan.task], output) for plan in todo}
        prepare(data, {plan.task: tasks[plan.task] for plan in todo}, console)
        return _run(todo, jobs, min(workers, len(todo)), results, console)


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


def _run(
    todo: list[Plan], jobs: dict[str, Job], workers: int, results: ResultFile, console: Console
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

        for outcome in run_jobs(jobs, workers, on_step):
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
    folder = output / "runs" / f"{plan.task}-{plan.upsampler}-seed{plan.seed}-{plan.run}"
    return partial(_train, plan.task, plan.upsampler, plan.seed, data, settings, folder)


def _train(
    task: str,
    upsampler: str,
    seed: int,
    data: str,
    settings: Settings,
    folder: Path,
    progress: Callable[[int, int], None],
) -> dict[str, Any]:
    return run_task(task, upsampler, seed, data, settings, folder, callbacks=[Progress(progress)])


def _line(plan: Plan, outcome: Outcome) -> str:
    """How a run ended: its two main metrics, or why it failed."""
    if outcome.record is None:
        return f"{plan.label}: failed: {outcome.error}"
    record, seconds = outcome.record, outcome.record["seconds"]
    main = headline(record["measures"], record["metrics"])
    return f"{plan.label}: {main}, {seconds['train'] + seconds['evaluate']:.0f} s"
