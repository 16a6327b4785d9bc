"""Train one model in its own folder, or resume it, and record the result."""

from contextlib import ExitStack, suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

from rich.console import Console

from dysample.files import whole_file
from dysample.workbench.folders import alone_in, undone
from dysample.workbench.headline import print_metrics
from dysample.workbench.results import RESULTS, ResultFile
from dysample.workbench.run_spec import RunSpec
from dysample.workbench.training.checkpoints import LAST, read_checkpoint
from dysample.workbench.training.config import CONFIG, load_config, to_yaml
from dysample.workbench.training.lightning_trainer import is_first_process
from dysample.workbench.training.prepare import prepare
from dysample.workbench.training.progress import ProgressBars
from dysample.workbench.training.run import run_task
from dysample.workbench.training_options import TrainingOptions

PATIENCE = 10
"""Seconds within which the loader workers of a killed training notice, and let go of its folder."""


def train(spec: RunSpec, folder: Path, resume: bool, console: Console) -> None:
    """Train and evaluate a run, append the record to the folder's results, and print it.

    Args:
        spec: of the run.
        folder: for checkpoints, logs, the configuration and results.
        resume: continue the run in the folder, if there is one.
        console: for progress and the metrics.

    Raises:
        ValueError, TypeError, FileNotFoundError: a user's mistake, before anything is trained.
    """
    spec.build_model()  # shows mistakes before anything is written
    first = is_first_process()
    with ExitStack() as stack:
        if first:
            stack.enter_context(alone_in(folder, PATIENCE))
            _check_folder(folder, spec, resume)
            if spec.data == "scenes" or not resume:
                # A large data set takes minutes, and the first attempt has checked it.
                prepare(spec.data, {spec.task: spec.settings}, console)
            stack.enter_context(undone(folder, [CONFIG], kept=LAST))
            _claim(folder, spec)
        record = run_task(spec, folder, callbacks=[ProgressBars(console)], tensorboard=True)
        if first:
            results = ResultFile(folder / RESULTS)
            if record.run not in results.finished():
                results.append(record.to_line())
            title = f"{spec.task} on {record.data['name']}, {spec.upsampler.label}"
            print_metrics(record.measures, record.metrics, title, console)


def _check_folder(folder: Path, spec: RunSpec, resume: bool) -> None:
    """Raise unless a run may start in a folder or, with `resume`, continue what is there.

    Raises:
        ValueError: another run is there, and the message lists every option that differs; or a
            file is damaged.
    """
    held = [name for name in (LAST, RESULTS, CONFIG) if (folder / name).exists()]
    if held and not resume:
        raise ValueError(
            f"`output` (={folder}) holds a run already ({held[0]}): --resume continues it, "
            "--output takes another folder"
        )
    finished = ResultFile(folder / RESULTS).finished()
    if LAST in held:
        found = read_checkpoint(folder / LAST)
        if found["run"] != spec.id:
            there = _identity(found.get("spec"), found["about"])
            _refuse(folder / LAST, there, _identity(spec.to_dict(), spec.about))
        read_checkpoint(folder / LAST, spec.id)
    elif CONFIG in held:
        other, _ = load_config(folder / CONFIG)
        here, there = (_identity(one.to_dict(), {"name": _name(one)}) for one in (spec, other))
        if there != here:
            _refuse(folder / CONFIG, there, here)
    elif finished and spec.id not in finished:
        raise ValueError(
            f"`output` (={folder}) must hold this run, but its {RESULTS} holds others: --output "
            "takes another folder"
        )


def _identity(options: Any, about: Any) -> dict[str, Any]:
    """Return what identifies a run, by name; the path of a data set does not."""
    free = {one.name for one in fields(TrainingOptions)} - {*TrainingOptions.IDENTITY} | {"data"}
    same = {name: value for name, value in _dict(options).items() if name not in free}
    return {**same, **{f"data.{name}": value for name, value in _dict(about).items()}}


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _name(spec: RunSpec) -> str:
    return spec.data.partition(":")[0]


def _refuse(path: Path, there: dict[str, Any], here: dict[str, Any]) -> None:
    differences = [
        f"`{name}` is {_shown(there, name)} there and {_shown(here, name)} here"
        for name in dict.fromkeys([*there, *here])
        if name not in there or name not in here or there[name] != here[name]
    ] or ["the file of `weights` has changed"]
    raise ValueError(
        f"{path} must be of the same run to be resumed, but {'; '.join(differences)}; give "
        "what it has, or another --output"
    )


def _shown(options: dict[str, Any], name: str) -> str:
    text = repr(options[name]) if name in options else "left out"
    return text if len(text) <= 80 else f"{text[:77]}..."


def _claim(folder: Path, spec: RunSpec) -> None:
    """Write the configuration into the folder."""
    path = folder / CONFIG
    with suppress(ValueError, TypeError, OSError):  # such as that there is no file yet
        if load_config(path) == (spec, folder):
            return
    with whole_file(path) as file:
        file.write(to_yaml(spec, folder).encode())
