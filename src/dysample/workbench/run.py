"""One run: a model trained with one upsampler, evaluated, and recorded."""

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback
from torch import nn

from dysample.files import sweep
from dysample.workbench.callbacks import LearningCurve, Stopwatch
from dysample.workbench.checkpoints import LAST, Checkpoints, read_checkpoint
from dysample.workbench.costs.models import model_macs, model_parameters
from dysample.workbench.data.batches import EvaluationBatches, TrainingBatches
from dysample.workbench.folders import undone
from dysample.workbench.identity import run_id
from dysample.workbench.models.build import find_upsamplers
from dysample.workbench.parts import measure_parts
from dysample.workbench.record import Record, Seconds, Size, surroundings
from dysample.workbench.restore import Recipe
from dysample.workbench.samples import encode_samples
from dysample.workbench.settings import Settings, check_seed
from dysample.workbench.tasks.by_name import task_class
from dysample.workbench.trainer import LOGS, is_first_process, make_trainer, quiet
from dysample.workbench.training import TrainingOptions


def identify(
    name: str,
    upsampler: str,
    options: dict[str, Any],
    seed: int,
    data: str,
    settings: Settings,
    training: TrainingOptions,
) -> tuple[str, dict[str, Any]]:
    """A run's id, and what its record says about the data; see `run_task`.

    Raises:
        ValueError, TypeError, FileNotFoundError: as `run_task`.
    """
    seed = check_seed(seed)
    training.check_batch_size(settings.batch_size)
    about = task_class(name).describe(data, settings)
    run = run_id(name, about, upsampler, options, seed, settings.to_dict(), training.identity())
    return run, about


def build(
    name: str,
    upsampler: str,
    options: dict[str, Any],
    about: dict[str, Any],
    settings: Settings,
    seed: int,
) -> nn.Module:
    """A run's model.

    Raises:
        ValueError, TypeError: values that do not fit, or of sizes that torch cannot make.
    """
    try:
        return task_class(name).build_model(upsampler, options, about, settings, seed)
    except (RuntimeError, OverflowError, MemoryError) as error:
        given = f"`upsampler_options` (={options}), `width` (={settings.width})"
        reason = " ".join(str(error).split())[:300] or "out of memory"
        raise ValueError(f"{given}: {upsampler} cannot be built: {reason}") from error


def run_task(
    name: str,
    upsampler: str,
    seed: int,
    data: str,
    settings: Settings,
    folder: str | Path,
    *,
    upsampler_options: dict[str, Any] | None = None,
    training: TrainingOptions | None = None,
    callbacks: Sequence[Callback] = (),
    tensorboard: bool = False,
    pictures: bool = True,
) -> Record:
    """Train and evaluate a model for one task; return its record.

    The folder receives ``last.ckpt``, with evaluations on the way ``best.ckpt``, and for each
    attempt a CSV log of the loss. A run that was interrupted goes on from its last checkpoint and
    ends with the metrics it would have had. One that fails before its first checkpoint leaves
    nothing behind.

    Args:
        name: of the task.
        upsampler: registered name.
        seed: of the initial values and the data order; runs of different upsamplers with one seed
            differ in the upsamplers alone.
        data: ``"scenes"`` or ``"NAME:PATH"``.
        settings: what the run computes.
        folder: for this run only.
        upsampler_options: given to `create_upsampler`.
        training: by what means; None for one process on the CPU.
        callbacks: to tell the progress, for example.
        tensorboard: write a log for TensorBoard as well.
        pictures: keep some predictions in the record, of a task and data that have such.

    Raises:
        ValueError, TypeError, FileNotFoundError: an unknown task, upsampler or data set, data that
            cannot be used, a checkpoint that cannot be read or belongs to another run; all before
            the first step. ValueError also when the loss stops being finite.
    """
    options, seed = upsampler_options or {}, check_seed(seed)
    training = training or TrainingOptions(accelerator="cpu")
    folder, kind = Path(folder), task_class(name)
    run, about = identify(name, upsampler, options, seed, data, settings, training)
    checkpoint = folder / LAST
    resumes = checkpoint.exists()
    if resumes:
        read_checkpoint(checkpoint, run)
    first = is_first_process()
    if first and folder.is_dir():
        sweep(folder)
    # Before the data: a misspelt upsampler should not cost the rendering of scenes.
    model = build(name, upsampler, options, about, settings, seed)
    train, val = kind.load(data, settings)

    task = kind(model, about, settings, seed, run)
    stopwatch, curve = Stopwatch(), LearningCurve(settings.steps)
    measure, main = next(iter(kind.measures.items()))
    keeper = Checkpoints(
        folder,
        training.checkpoint_every,
        training.validate_every,
        measure,
        main.higher_is_better,
        Recipe(
            task=name,
            upsampler=upsampler,
            upsampler_options=options,
            seed=seed,
            settings=settings,
            training=training.identity(),
        ).to_dict(),
    )
    with quiet(), undone(folder, LOGS, kept=LAST) if first else nullcontext():
        trainer = make_trainer(
            settings.steps,
            training,
            folder,
            [keeper, stopwatch, curve, *callbacks],
            tensorboard=tensorboard,
            uses_all_parameters=kind.uses_all_parameters,
        )
        place = trainer.global_rank, trainer.world_size
        batches = TrainingBatches(
            train,
            settings.batch_size,
            settings.steps,
            seed,
            training.accumulate,
            *place,
            workers=training.loader_workers,
        )
        evaluation = EvaluationBatches(val, *place, workers=training.loader_workers)
        on_the_way = None if training.validate_every is None else evaluation
        with keeper.restoring(checkpoint) if resumes else nullcontext():
            trainer.fit(task, batches, on_the_way, ckpt_path=checkpoint if resumes else None)
        if task.evaluated_after != settings.steps:
            trainer.validate(task, evaluation, verbose=False)

    return Record(
        run=run,
        task=name,
        data=about,
        upsampler=upsampler,
        upsampler_options=options,
        guided=find_upsamplers(model)[-1].guided,
        seed=seed,
        settings=settings.to_dict(),
        training=training.to_dict(),
        metrics=task.results,
        parts={} if training.processes > 1 else measure_parts(task, val),
        curve=curve.curve,
        measures=kind.measures,
        parameters=Size(**model_parameters(model)),
        macs=Size(**model_macs(model, about["height"], about["width"])),
        seconds=Seconds(round(stopwatch.seconds, 2), round(stopwatch.evaluation, 2)),
        **surroundings(),
        samples=encode_samples(task, val) if pictures else (),
    )
