"""Models of a task: built from plain data, or restored from a checkpoint alone."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn

from dysample.checks import one_line
from dysample.fitting import build_for
from dysample.hub import RECIPE
from dysample.workbench.checkpoints import find_checkpoint, read_checkpoint
from dysample.workbench.settings import SIZES, Settings, check_count, settings_for
from dysample.workbench.tasks.base import Task
from dysample.workbench.tasks.by_name import task_class


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What a run's model is built from, besides the description of its data.

    Attributes:
        task: semantic, detection, instance, panoptic or depth.
        upsampler: registered name.
        upsampler_options: given to it.
        seed: of the run.
        settings: of the run.
        training: what else makes the run another one, from `TrainingOptions.identity`.
    """

    task: str
    upsampler: str
    upsampler_options: dict[str, Any]
    seed: int
    settings: Settings
    training: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for a checkpoint."""
        return asdict(self)


@dataclass(frozen=True)
class Restored:
    """A trained model, the recipe it was built from, and the optimiser steps of its weights."""

    task: Task
    recipe: Recipe
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
    return task_class(task).build_model(upsampler, options, about, full, seed)


def restore(path: Path) -> Restored:
    """The model of a checkpoint with its weights, in eval mode.

    Raises:
        ValueError, FileNotFoundError: as `read_checkpoint`; a checkpoint whose recipe is not that
            of its model.
    """
    checkpoint = read_checkpoint(path)
    try:
        recipe = _recipe(checkpoint["recipe"])
        task, step = _build(recipe, checkpoint), int(checkpoint["global_step"])
    except Exception as error:  # what is in the file is anybody's
        kind = "" if isinstance(error, ValueError | RuntimeError) else f"{type(error).__name__}: "
        raise ValueError(
            f"checkpoint {path} must fit the model that it names: {kind}{one_line(error)}"
        ) from error
    task.eval()
    return Restored(task, recipe, step)


def with_recipe(restored: Restored) -> nn.Module:
    """The model alone, which `dysample.hub.save_pretrained` can write down."""
    recipe = restored.recipe
    written = {
        "model": "task",
        "task": recipe.task,
        "upsampler": recipe.upsampler,
        "options": recipe.upsampler_options,
        "about": restored.task.about,
        "settings": recipe.settings.to_dict(),
        "seed": recipe.seed,
    }
    setattr(restored.task.model, RECIPE, written)
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


def _build(recipe: Recipe, checkpoint: dict[str, Any]) -> Task:
    about = checkpoint["about"]
    for key, wanted in (("classes", list), ("height", int), ("width", int)):
        if not isinstance(about, dict) or not isinstance(about.get(key), wanted):
            raise ValueError(f"`about` must hold `{key}`, of type {wanted.__name__}")
    for key in ("height", "width"):
        check_count(key, about[key], *SIZES)
    # The checkpoint holds the encoder too: no pretrained weights have to be there.
    bare = replace(recipe.settings, weights=None)
    kind, saved = task_class(recipe.task), checkpoint["state_dict"]
    of_model = {n.removeprefix("model."): v for n, v in saved.items() if n.startswith("model.")}

    def build() -> nn.Module:
        return kind.build_model(
            recipe.upsampler, recipe.upsampler_options, about, bare, recipe.seed
        )

    model = build_for(build, of_model)
    task = kind(model, about, recipe.settings, recipe.seed, checkpoint["run"])
    task.load_state_dict(saved)
    return task


def _recipe(found: dict[str, Any]) -> Recipe:
    settings = settings_for(found["task"], "scenes")
    return Recipe(**{**found, "settings": type(settings)(**found["settings"])})
