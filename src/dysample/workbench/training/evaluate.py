"""Evaluate a trained model, on the data of its training or on another set of the same classes."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from dysample.files import whole_file
from dysample.workbench.data.batches import EvaluationBatches
from dysample.workbench.data.disk_set import DiskSet, open_split
from dysample.workbench.data.sample import class_order
from dysample.workbench.headline import print_metrics
from dysample.workbench.run_spec import RunSpec
from dysample.workbench.settings import settings_for, split_data
from dysample.workbench.tasks.base import Task
from dysample.workbench.training.checkpoints import find_checkpoint
from dysample.workbench.training.config import CONFIG, load_config
from dysample.workbench.training.lightning_trainer import make_trainer, quiet
from dysample.workbench.training.progress import ProgressBars
from dysample.workbench.training.restore import restore
from dysample.workbench.training_options import TrainingOptions


def evaluate(path: Path, data: str | None, file: Path | None, console: Console) -> None:
    """Evaluate a checkpoint on a validation split, and print its metrics.

    Args:
        path: folder of a training, whose best checkpoint is used, or the last one if there is no
            best; or a checkpoint in such a folder.
        data: "scenes" or "NAME:PATH", of the same classes; None for the data of the training.
        file: for the metrics as JSON, and the step of the weights; None for none.
        console: for progress and the metrics.

    Raises:
        ValueError, TypeError, FileNotFoundError: the file or the data cannot be used.
    """
    if file is not None and not file.parent.is_dir():
        raise FileNotFoundError(f"`json` (={file}) must lie in a folder that exists")
    checkpoint, spec = _find(path)
    task, step = _load(checkpoint, spec)
    images = _open(spec, task, data or spec.data)
    options = TrainingOptions(
        accelerator=spec.training.accelerator,
        precision=spec.training.precision,
        loader_workers=spec.training.loader_workers,
    )
    with quiet():
        trainer = make_trainer(1, options, None, [ProgressBars(console)])
        batches = EvaluationBatches(images, workers=options.loader_workers)
        trainer.validate(task, batches, verbose=False)
    name = (data or spec.data).partition(":")[0]
    title = (
        f"{spec.task} on {name}, {len(images)} images, {spec.upsampler.label}, {checkpoint.name}"
        f" of step {step}"
    )
    print_metrics(task.measures, task.results, title, console)
    if file is not None:
        found = {
            "run": task.run,
            "task": spec.task,
            "data": name,
            "images": len(images),
            "upsampler": spec.upsampler.name,
            "checkpoint": str(checkpoint),
            "step": step,
            "metrics": task.results,
            "measures": {key: asdict(measure) for key, measure in task.measures.items()},
        }
        with whole_file(file) as target:
            target.write(json.dumps(found, indent=2, allow_nan=False).encode() + b"\n")


def _find(path: Path) -> tuple[Path, RunSpec]:
    """Find the checkpoint, and the configuration beside it."""
    path = find_checkpoint(path)
    if not (path.parent / CONFIG).is_file():
        raise FileNotFoundError(
            f"checkpoint {path} must lie beside the {CONFIG} that `dysample train` wrote"
        )
    return path, load_config(path.parent / CONFIG)[0]


def _load(path: Path, spec: RunSpec) -> tuple[Task, int]:
    """Build the model with the weights of a checkpoint, and return their step."""
    restored = restore(path)
    there = restored.spec
    # Not by their ids: these need the file of the first weights, which the checkpoint replaces.
    moved = replace(there, data=spec.data, training=spec.training)
    if (
        moved != spec
        or split_data(there.data)[0] != split_data(spec.data)[0]
        or there.training.identity() != spec.training.identity()
    ):
        raise ValueError(f"checkpoint {path} must be of the run that {CONFIG} beside it describes")
    return restored.task, restored.step


def _open(spec: RunSpec, task: Task, data: str) -> Any:
    """Open what the run was evaluated on, or the validation split of other data, at its size."""
    about, settings = task.about, spec.settings
    if data == "scenes":
        if spec.data != data:  # options of photographs need not fit
            settings = replace(settings_for(spec.task, data), size=about["height"])
        classes = task.describe(data, settings)["classes"]
    else:
        split = open_split(data, "val", task.kind)
        classes = [split.classes.names[i] for i in class_order(task.kind, split.classes)]
    if classes != about["classes"]:
        raise ValueError(
            f"`data` (={data!r}) must have the {len(about['classes'])} classes of the training, "
            f"in their order, but has {len(classes)} that differ"
        )
    if data == "scenes" or (data == spec.data and settings.held_out):
        return task.load(data, settings)[1]
    wanted = settings.val_frames if data == spec.data else None
    size = about["height"], about["width"]
    return DiskSet(task.kind, split, size, range(wanted or len(split)), task.batch)
