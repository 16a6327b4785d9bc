"""One run: a model trained with one upsampler, evaluated, and recorded."""

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from lightning.pytorch import Callback

from dysample.files import sweep
from dysample.workbench.costs.models import model_macs, model_parameters
from dysample.workbench.data.batches import EvaluationBatches, TrainingBatches
from dysample.workbench.folders import undone
from dysample.workbench.metrics.parts import measure_parts
from dysample.workbench.models.build import find_upsamplers
from dysample.workbench.record import Record, Seconds, Size, surroundings
from dysample.workbench.run_spec import RunSpec
from dysample.workbench.tasks.by_name import task_class
from dysample.workbench.training.callbacks import LearningCurve, Stopwatch
from dysample.workbench.training.checkpoints import LAST, Checkpoints, read_checkpoint
from dysample.workbench.training.lightning_trainer import (
    LOGS,
    is_first_process,
    make_trainer,
    quiet,
)
from dysample.workbench.training.samples import encode_samples


def run_task(
    spec: RunSpec,
    folder: str | Path,
    *,
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
        spec: of the run.
        folder: for this run only.
        callbacks: to tell the progress, for example.
        tensorboard: write a log for TensorBoard as well.
        pictures: keep some predictions in the record, of a task and data that have such.

    Raises:
        ValueError, TypeError, FileNotFoundError: an unknown data set, data that cannot be used, an
            upsampler that cannot be built, a checkpoint that cannot be read or belongs to another
            run; all before the first step. ValueError also when the loss stops being finite.
    """
    folder, task_type = Path(folder), task_class(spec.task)
    about, settings, training = spec.about, spec.settings, spec.training
    checkpoint = folder / LAST
    resumes = checkpoint.exists()
    if resumes:
        read_checkpoint(checkpoint, spec.id)
    first = is_first_process()
    if first and folder.is_dir():
        sweep(folder)
    # Before the data: a misspelt option should not cost the rendering of scenes.
    model = spec.build_model()
    train, val = task_type.load(spec.data, settings)

    task = task_type(model, about, settings, spec.seed, spec.id)
    stopwatch, curve = Stopwatch(), LearningCurve(settings.steps)
    measure, main = next(iter(task_type.measures.items()))
    keeper = Checkpoints(
        folder,
        training.checkpoint_every,
        training.validate_every,
        measure,
        main.higher_is_better,
        spec.to_dict(),
    )
    with quiet(), undone(folder, LOGS, kept=LAST) if first else nullcontext():
        trainer = make_trainer(
            settings.steps,
            training,
            folder,
            [keeper, stopwatch, curve, *callbacks],
            tensorboard=tensorboard,
            uses_all_parameters=task_type.uses_all_parameters,
        )
        place = trainer.global_rank, trainer.world_size
        batches = TrainingBatches(
            train,
            settings.batch_size,
            settings.steps,
            spec.seed,
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

    # On the features that the metrics were measured on; costs are those of the encoder itself.
    task.keep_features(True)
    parts = {} if training.processes > 1 else measure_parts(task, val)
    samples = encode_samples(task, val) if pictures else ()
    task.keep_features(False)
    return Record(
        run=spec.id,
        task=spec.task,
        data=about,
        upsampler=spec.upsampler.name,
        upsampler_options=spec.upsampler.options,
        guided=find_upsamplers(model)[-1].guided,
        seed=spec.seed,
        settings=settings.to_dict(),
        training=training.to_dict(),
        metrics=task.results,
        parts=parts,
        curve=curve.curve,
        measures=task_type.measures,
        parameters=Size(**model_parameters(model)),
        macs=Size(**model_macs(model, about["height"], about["width"])),
        seconds=Seconds(round(stopwatch.seconds, 2), round(stopwatch.evaluation, 2)),
        **surroundings(),
        samples=samples,
    )
