"""Choose the model to look at: one in memory, a checkpoint, or a briefly trained one."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from dysample.workbench.choose import UpsamplerSpec, choose_upsamplers
from dysample.workbench.data.scenes import cache_folder, kept_in_cache
from dysample.workbench.folders import alone_in
from dysample.workbench.headline import say
from dysample.workbench.resolver import Run, find_runs, holds_model
from dysample.workbench.run_spec import RunSpec
from dysample.workbench.settings import settings_for
from dysample.workbench.training.checkpoints import LAST, find_checkpoint, read_checkpoint
from dysample.workbench.training.progress import ProgressBars
from dysample.workbench.training.restore import Restored, restore
from dysample.workbench.training.run import run_task
from dysample.workbench.training_options import TrainingOptions

REFERENCES = ("nearest", "bilinear")
"""The fixed interpolations that others are shown beside."""

PATIENCE = 600
"""Seconds to wait for another process that trains such a model."""

QUICK = {"steps": 150, "train_frames": 500, "val_frames": 8}
"""Settings of the model that is trained where none is given: less than a minute on one core."""


def choose_models(checkpoint: Path | None, names: str | None) -> dict[str, str | Path]:
    """Return the models to look at, by the upsamplers' names.

    Args:
        checkpoint: a run's folder, a file in it, or the folder of a comparison, of which the runs
            of the lowest seed are taken; None for briefly trained models.
        names: upsamplers or patterns, separated by commas.

    Raises:
        ValueError, FileNotFoundError: nothing to look at.
    """
    if checkpoint is None:
        return {name: name for name in _choose_names(names or "dysample")}
    if not checkpoint.is_dir() or holds_model(checkpoint):
        if names is not None:
            raise ValueError(
                f"`upsampler` (={names}) must be left out: {checkpoint} is a single model"
            )
        return {checkpoint.name: checkpoint}
    runs = sorted(find_runs(checkpoint), key=lambda run: (run.task != "semantic", run.seed))
    by_name: dict[str, list[Run]] = {}
    for run in runs:
        by_name.setdefault(run.upsampler, []).append(run)
    first: dict[str, str | Path] = {name: of_name[0].folder for name, of_name in by_name.items()}
    wanted = list(first) if names is None else _choose_names(names)
    if missing := [name for name in wanted if name not in first]:
        raise ValueError(
            f"`upsampler` (={', '.join(missing)}) must be among those that {checkpoint} has"
            f" trained: {', '.join(sorted(first))}"
        )
    for name in wanted:
        alike = [run.folder for run in by_name[name] if run.label == by_name[name][0].label]
        if len(alike) > 1:
            raise ValueError(
                f"{checkpoint} holds several runs of {name} that differ in data, settings or"
                f" options: give the folder of one, such as {alike[0]}"
            )
    return {name: first[name] for name in wanted}


def models_of_page(folder: Path | None, names: str | None, console: Console) -> dict[str, Path]:
    """Folders of the runs to choose from, by labels.

    Args:
        folder: of a comparison; None for briefly trained models.
        names: of the upsamplers of the latter.
        console: for progress.

    Raises:
        ValueError, FileNotFoundError: nothing to choose from.
    """
    if folder is not None:
        if names is not None:
            raise ValueError(f"`upsampler` (={names}) must be left out: {folder} holds the models")
        runs = sorted(find_runs(folder), key=lambda run: run.upsampler in REFERENCES)
        times = Counter(run.label for run in runs)
        return {
            run.label if times[run.label] == 1 else f"{run.label} ({run.id})": run.folder
            for run in runs
        }
    wanted = _choose_names(names or "dysample,carafe")
    return {name: quick_model(name, console) for name in dict.fromkeys([*wanted, *REFERENCES])}


def find_references(checkpoint: Path, restored: Restored) -> list[tuple[str, Restored]]:
    """Runs beside a run that differ from it in the upsampler alone: nearest, bilinear."""
    spec = restored.spec
    found = []
    for name in REFERENCES:
        if name == spec.upsampler.name:
            continue
        pattern = f"{spec.task}-{name}-seed{spec.seed}-*"
        for folder in sorted(checkpoint.parent.parent.glob(pattern)):
            if not (folder / LAST).is_file():
                continue
            other = restore(find_checkpoint(folder))
            same = replace(other.spec, upsampler=spec.upsampler).with_about(other.spec.about)
            if same.id == spec.id:
                found.append((name, other))
                break
    return found


def quick_model(upsampler: str, console: Console) -> Path:
    """Return the folder of a small model that is trained briefly on the embedded scenes, once.

    It is kept in `$DYSAMPLE_CACHE/models`, else beside the scenes in the user's cache.

    Args:
        upsampler: registered name.
        console: for progress, where there is something to train.

    Raises:
        ValueError: an unknown upsampler.
    """
    settings = settings_for("semantic", "scenes", **QUICK)
    training = TrainingOptions(accelerator="cpu")
    spec = RunSpec("semantic", "scenes", UpsamplerSpec(upsampler), 0, settings, training)
    output = cache_folder() / "models"
    folder = spec.folder(output)
    with kept_in_cache(output), alone_in(output, PATIENCE):
        if not _is_trained(folder / LAST, spec):
            say(
                console,
                f"training a small model with {upsampler} for {settings.steps} steps, once; it is"
                f" kept in {output}",
            )
            run_task(spec, folder, callbacks=[ProgressBars(console)])
    return folder


def _choose_names(text: str) -> list[str]:
    chosen = choose_upsamplers(text)
    for choice in chosen:
        if choice.options:
            raise ValueError(
                f"`upsampler` (={choice.label}) must be without options: for others train with"
                " `dysample train`, and give its folder"
            )
    return [choice.name for choice in chosen]


def _is_trained(checkpoint: Path, spec: RunSpec) -> bool:
    found = read_checkpoint(checkpoint, spec.id) if checkpoint.is_file() else {}
    return found.get("global_step") == spec.settings.steps
