"""One run: a model trained with one upsampler, evaluated, and recorded."""

import logging
import pickle
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger

from dysample.workbench.callbacks import Progress, Stopwatch
from dysample.workbench.checkpoints import WholeFileIO
from dysample.workbench.costs import count_macs, count_parameters
from dysample.workbench.data.batches import EvaluationBatches, TrainingBatches
from dysample.workbench.models.build import find_upsamplers
from dysample.workbench.record import SCHEMA, run_id, surroundings
from dysample.workbench.samples import encode_samples
from dysample.workbench.settings import Settings
from dysample.workbench.tasks.by_name import task_class

CHECKPOINT = "last.ckpt"
CHECKPOINT_EVERY = 50

_HARMLESS = (
    # Evaluation comes after training, in a call of its own.
    "You defined a `validation_step` but have no `val_dataloader`",
    # The CSV log is in the same folder, and an earlier attempt's checkpoint may be.
    "Checkpoint directory .* exists and is not empty",
    # Lightning 2.6 walks batches with a class that torch 2.14 is about to rename.
    r"`isinstance\(treespec, LeafSpec\)` is deprecated",
)


def run_task(
    name: str,
    upsampler: str,
    seed: int,
    data: str,
    settings: Settings,
    folder: str | Path,
    *,
    upsampler_options: dict[str, Any] | None = None,
    progress: Callable[[int, int], None] | bool = False,
) -> dict[str, Any]:
    """Train and evaluate a model for one task; return its record.

    The folder receives ``last.ckpt`` and, for each attempt, a CSV log of the loss. A run that was
    interrupted goes on from its checkpoint and ends with the metrics it would have had.

    Args:
        name: of the task.
        upsampler: registered name.
        seed: of the initial values and the data order; runs of different upsamplers with one seed
            differ in the upsamplers alone.
        data: ``"scenes"`` or ``"NAME:PATH"``.
        settings: everything else.
        folder: for this run only.
        upsampler_options: given to `create_upsampler`.
        progress: called with the step and their number after each step; or True for a bar.

    Raises:
        ValueError, TypeError, FileNotFoundError: an unknown task, upsampler or data set, data that
            cannot be used, a checkpoint that cannot be read or belongs to another run; all before
            the first step. ValueError also when the loss stops being finite.
    """
    options = upsampler_options or {}
    if not isinstance(seed, int) or isinstance(seed, bool):
        raise TypeError(f"`seed` (={seed!r}) must be an integer")
    kind = task_class(name)
    about = kind.describe(data, settings)
    run = run_id(name, about, upsampler, options, seed, settings.to_dict())
    checkpoint = _readable_checkpoint(Path(folder) / CHECKPOINT, run)
    # Before the data: a misspelt upsampler should not cost the rendering of scenes.
    model = kind.build_model(upsampler, options, about, settings, seed)
    train, val = kind.load(data, settings)

    task = kind(model, about, settings, seed, run)
    stopwatch = Stopwatch()
    with _quiet():
        trainer = _trainer(settings.steps, Path(folder), stopwatch, progress)
        batches = TrainingBatches(train, settings.batch_size, settings.steps, seed)
        trainer.fit(task, batches, ckpt_path=checkpoint)
        start = time.perf_counter()
        trainer.validate(task, EvaluationBatches(val), verbose=False)
        evaluation = time.perf_counter() - start

    return {
        "schema": SCHEMA,
        "run": run,
        "task": name,
        # Images without objects may have been left out.
        "data": {**about, "train": len(train)},
        "upsampler": upsampler,
        "upsampler_options": options,
        "guided": find_upsamplers(model)[-1].guided,
        "seed": seed,
        "settings": settings.to_dict(),
        "metrics": task.results,
        "measures": {key: measure.to_dict() for key, measure in kind.measures.items()},
        "parameters": count_parameters(model),
        "macs": count_macs(model, about["height"], about["width"]),
        "seconds": {"train": round(stopwatch.seconds, 2), "evaluate": round(evaluation, 2)},
        **surroundings(),
        "samples": encode_samples(task, val),
    }


def _trainer(
    steps: int,
    folder: Path,
    stopwatch: Stopwatch,
    progress: Callable[[int, int], None] | bool,
) -> Trainer:
    checkpoints = ModelCheckpoint(
        folder,
        filename=Path(CHECKPOINT).stem,
        every_n_train_steps=CHECKPOINT_EVERY,
        enable_version_counter=False,
    )
    tell = [] if isinstance(progress, bool) else [Progress(progress)]
    return Trainer(
        accelerator="cpu",
        devices=1,
        max_epochs=1,  # the stream of batches is the whole run
        max_steps=steps,
        logger=CSVLogger(folder, name="log"),
        callbacks=[checkpoints, stopwatch, *tell],
        plugins=[WholeFileIO()],
        enable_progress_bar=progress is True,
        enable_model_summary=False,
        log_every_n_steps=min(10, steps),
    )


def _readable_checkpoint(path: Path, run: str) -> Path | None:
    """The checkpoint to go on from, or None for a new run."""
    if not path.exists():
        return None
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)["run"]
    except (OSError, RuntimeError, KeyError, EOFError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"checkpoint {path} cannot be read (delete it): {reason}") from error
    if found != run:
        raise ValueError(f"checkpoint {path} must be of run {run}, but is of run {found}")
    return path


@contextmanager
def _quiet() -> Iterator[None]:
    """Lightning without its notices on hardware and loop ends, and without harmless warnings."""
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            for message in _HARMLESS:
                warnings.filterwarnings("ignore", message)
            yield
    finally:
        logger.setLevel(level)
