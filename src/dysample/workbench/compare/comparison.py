"""Run a comparison: every upsampler and seed once, without the runs that are finished."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, TaskID

from dysample.files import cleared, sweep
from dysample.workbench.choose import UpsamplerSpec
from dysample.workbench.compare.engines.base import Engine, Job, Outcome, Tell
from dysample.workbench.compare.tuning import choose, trials_of
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
    tune: bool = False,
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
        tune: choose the learning rate of each upsampler first: see `tuning`.

    Returns:
        One line for each run that failed or was left out; the others are in the file.

    Raises:
        ValueError, TypeError, FileNotFoundError, ModuleNotFoundError: a user's mistake, before
            anything is trained.
    """
    check_count("seeds", seeds, most=10_000)
    for name, given in (("tasks", tasks), ("upsamplers", upsamplers)):
        if not given:
            raise ValueError(f"`{name}` must name at least one")
    specs = _specs(data, tasks, upsamplers)
    trials = trials_of(specs) if tune else []
    with alone_in(output), cleared(output / "runs"), ExitStack() as stack:
        sweep(output)  # a page that was being written when its writer was killed
        runner = _Runner(data, tasks, output, engine, console, stack)
        if tune:
            runner.run([trial for of_spec in trials for trial in of_spec])
            specs = [
                replace(spec, settings=replace(spec.settings, rate_scale=scale)).with_about(
                    spec.about
                )
                for spec, of_spec in zip(specs, trials)
                if (scale := runner.choose(of_spec)) is not None
            ]
        # Seeds outermost, so that an early stop leaves whole pairs.
        runner.run(
            replace(spec, seed=seed).with_about(spec.about)
            for seed in range(seeds)
            for spec in specs
        )
    return runner.failures


def _specs(
    data: str, tasks: Mapping[str, Settings], upsamplers: Sequence[UpsamplerSpec]
) -> list[RunSpec]:
    """The runs of seed 0, in the order in which to start them."""
    specs = []
    for task, settings in tasks.items():
        first = RunSpec(task, data, upsamplers[0], 0, settings, TrainingOptions(accelerator="cpu"))
        about = first.about  # the same for all, and read from the disk once
        of_task = [replace(first, upsampler=one).with_about(about) for one in upsamplers]
        # The slowest first, so that no core idles at the end.
        specs += sorted(of_task, key=_cost, reverse=True)
    return specs


def _cost(spec: RunSpec) -> int:
    """Return the multiply-adds of a model's upsamplers; building it reports wrong options early."""
    try:
        model = spec.build_model()
    except (ValueError, TypeError) as error:
        part = "model" if spec.settings.width is None else "width"
        where = f"`{part}` (={getattr(spec.settings, part)})"
        raise type(error)(f"while building {spec.upsampler.label} at {where}: {error}") from error
    return model_macs(model, spec.about["height"], spec.about["width"])["upsamplers"]


class _Runner:
    """Does the runs that are not yet in the result file.

    Attributes:
        failures: a line for each run that failed or was left out.
    """

    def __init__(
        self,
        data: str,
        tasks: Mapping[str, Settings],
        output: Path,
        engine: Engine,
        console: Console,
        stack: ExitStack,
    ) -> None:
        self.failures: list[str] = []
        self._data, self._tasks = data, tasks
        self._output, self._engine, self._console = output, engine, console
        self._results = ResultFile(output / RESULTS)
        self._diverged: set[str] = set()
        self._stack = stack
        self._started = False

    def run(self, wanted: Iterable[RunSpec]) -> None:
        """Do runs, the first ones first."""
        specs = {spec.id: spec for spec in wanted}
        finished = self._results.finished()
        todo = {run: spec for run, spec in specs.items() if run not in finished}
        if done := len(specs) - len(todo):
            say(self._console, f"{done} of {len(specs)} runs are in {self._results.path}")
        if not todo:
            return
        if not self._started:
            self._stack.enter_context(self._engine.open())  # before the data, which can take longer
            prepare(self._data, self._tasks, self._console)
            self._started = True
        jobs = {run: _job(spec, self._output) for run, spec in todo.items()}
        with Progress(*columns(), console=self._console, transient=True) as progress:
            whole = progress.add_task("runs", total=len(todo))
            bars: dict[str, TaskID] = {}

            def on_step(run: str, done: int, total: int) -> None:
                if run not in bars:
                    bars[run] = progress.add_task(todo[run].label, total=total)
                progress.update(bars[run], completed=done)

            # Closed at once if this is stopped, and with it what still runs.
            with closing(self._engine.run_jobs(jobs, on_step)) as outcomes:
                for outcome in outcomes:
                    self._keep(outcome, todo[outcome.run].label)
                    if outcome.run in bars:
                        progress.remove_task(bars.pop(outcome.run))
                    progress.advance(whole)
                    say(progress.console, _line(todo[outcome.run].label, outcome))

    def _keep(self, outcome: Outcome, label: str) -> None:
        if outcome.record is not None:
            self._results.append(outcome.record.to_line())
            return
        self.failures.append(f"{label}: {outcome.error}")
        if outcome.diverged:
            self._diverged.add(outcome.run)

    def choose(self, trials: Sequence[RunSpec]) -> float | None:
        """Return the best scale of a run's trials and print it; None if they do not tell."""
        choice = choose(trials, self._results.records(), self._diverged)
        if choice is None:
            name = f"{trials[0].task} {trials[0].upsampler.label}"
            self.failures.append(f"{name}: not trained, as its trials did not all end")
            return None
        scale, line = choice
        say(self._console, line)
        return scale


def _job(spec: RunSpec, output: Path) -> Job:
    # A worker's working directory may be another one.
    folder = spec.folder(output).absolute()
    name, source = split_data(spec.data)
    if source:
        spec = replace(spec, data=f"{name}:{Path(source).absolute()}")
    return partial(_train, spec, folder)


def _train(spec: RunSpec, folder: Path, tell: Tell) -> Record:
    # The report shows the pictures of the first seed; those of all would make a large file.
    pictures = spec.seed == 0 and not spec.settings.held_out
    return run_task(spec, folder, callbacks=[StepReporter(tell)], pictures=pictures)


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
