"""Models of a task: built from plain data, or restored from a checkpoint alone."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn

from dysample.checks import one_line
from dysample.fitting import build_for
from dysample.hub import RECIPE
from dysample.workbench.choose import UpsamplerSpec
from dysample.workbench.run_spec import RunSpec, build
from dysample.workbench.settings import SIZES, check_count, check_seed, settings_for
from dysample.workbench.tasks.base import Task
from dysample.workbench.tasks.by_name import task_class
from dysample.workbench.training.checkpoints import find_checkpoint, read_checkpoint


@dataclass(frozen=True)
class Restored:
    """A trained model, the run that trained it, and the optimiser steps of its weights."""

    task: Task
    spec: RunSpec
    step: int


def build_for_task(
    task: str,
    upsampler: str,
    options: dict[str, Any],
    about: dict[str, Any],
    settings: dict[str, Any],
    seed: int,
) -> nn.Module:
    """The model of a run.

    Args:
        task: its name.
        upsampler: registered name.
        options: given to `create_upsampler`.
        about: the data's description in a record: its classes, and the size of its images.
        settings: of the run, beyond the recipe of the task on the scenes.
        seed: of the random weights.

    Raises:
        TypeError, ValueError: naming the argument, the rule and the value.
    """
    full = replace(settings_for(task, "scenes"), **settings)
    return build(task, UpsamplerSpec(upsampler, options), about, full, check_seed(seed))


def restore(path: Path) -> Restored:
    """The model of a checkpoint with its weights, in eval mode.

    Raises:
        ValueError, FileNotFoundError: as `read_checkpoint`; a checkpoint whose run is not that of
            its model.
    """
    checkpoint = read_checkpoint(path)
    try:
        spec = _spec(checkpoint.get("spec"), checkpoint["about"])
        task, step = _build(spec, checkpoint), int(checkpoint["global_step"])
    except Exception as error:  # what is in the file is anybody's
        kind = "" if isinstance(error, ValueError | RuntimeError) else f"{type(error).__name__}: "
        raise ValueError(
            f"checkpoint {path} must fit the model that it names: {kind}{one_line(error)}"
        ) from error
    task.eval()
    return Restored(task, spec, step)


def with_recipe(restored: Restored) -> nn.Module:
    """The model alone, which `dysample.hub.save_pretrained` can write down."""
    spec = restored.spec
    recipe = {
        "model": "task",
        "task": spec.task,
        "upsampler": spec.upsampler.name,
        "options": spec.upsampler.options,
        "about": spec.about,
        "settings": spec.settings.to_dict(),
        "seed": spec.seed,
    }
    setattr(restored.task.model, RECIPE, recipe)
    return restored.task.model


def from_training(path: str | Path) -> nn.Module:
    """A trained model in eval mode, for `dysample.hub.save_pretrained` to write down.

    Args:
        path: the folder of a run of `dysample train` or `dysample compare`, whose best checkpoint
            is taken, else the last one; or a checkpoint.

    Raises:
        FileNotFoundError, ValueError: a folder or file that is not one of a training.
    """
    return with_recipe(restore(find_checkpoint(Path(path))))


def _spec(options: Any, about: Any) -> RunSpec:
    if not isinstance(options, dict):
        raise ValueError("`spec` must hold the options of its run by name")
    for key, wanted in (("classes", list), ("height", int), ("width", int)):
        if not isinstance(about, dict) or not isinstance(about.get(key), wanted):
            raise ValueError(f"`about` must hold `{key}`, of type {wanted.__name__}")
    for key in ("height", "width"):
        check_count(key, about[key], *SIZES)
    spec = RunSpec.from_dict(options).with_about(about)
    if missing := spec.to_dict().keys() - options.keys():
        raise ValueError(f"`spec` must hold every option, but lacks {', '.join(sorted(missing))}")
    return spec


def _build(spec: RunSpec, checkpoint: dict[str, Any]) -> Task:
    # The checkpoint holds the encoder too: no pretrained weights have to be there.
    bare = replace(spec.settings, weights=None)
    saved = checkpoint["state_dict"]
    of_model = {n.removeprefix("model."): v for n, v in saved.items() if n.startswith("model.")}
    model = build_for(
        lambda: build(spec.task, spec.upsampler, spec.about, bare, spec.seed), of_model
    )
    task = task_class(spec.task)(model, spec.about, spec.settings, spec.seed, checkpoint["run"])
    task.load_state_dict(saved)
    return task
