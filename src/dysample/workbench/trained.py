"""Models of a task: built from plain data, or read from the folder of a training."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from dysample.workbench.checkpoints import BEST, LAST, read_checkpoint
from dysample.workbench.config import Config, load_config
from dysample.workbench.record import run_id
from dysample.workbench.settings import settings_for
from dysample.workbench.tasks.base import Task
from dysample.workbench.tasks.by_name import task_class
from dysample.workbench.train import CONFIG


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


def find_checkpoint(path: Path) -> tuple[Path, Config]:
    """The best checkpoint of a training's folder, else its last one, and its configuration.

    Args:
        path: the folder, or a checkpoint in it.

    Raises:
        FileNotFoundError, ValueError: one of the two is missing, or cannot be read.
    """
    if path.is_dir():
        found = [path / name for name in (BEST, LAST) if (path / name).is_file()]
        if not found:
            raise FileNotFoundError(f"folder {path} must hold {BEST} or {LAST}, but has neither")
        path = found[0]
    elif not path.is_file():
        raise FileNotFoundError(f"{path} does not exist")
    if not (path.parent / CONFIG).is_file():
        raise FileNotFoundError(
            f"checkpoint {path} must lie beside the {CONFIG} that `dysample train` wrote"
        )
    return path, load_config(path.parent / CONFIG)


def load_task(path: Path, config: Config) -> Task:
    """The task with the weights of a checkpoint.

    Args:
        path: of the checkpoint.
        config: of its training.

    Raises:
        ValueError: a file that cannot be read, or is of another training.
    """
    checkpoint = read_checkpoint(path)
    about, settings = checkpoint["about"], config.settings
    run = run_id(
        config.task,
        about,
        config.upsampler,
        config.upsampler_options,
        config.seed,
        settings.to_dict(),
        config.training.identity(),
    )
    if checkpoint["run"] != run:
        raise ValueError(f"checkpoint {path} must be of the run that {CONFIG} beside it describes")
    kind = task_class(config.task)
    # The checkpoint holds the encoder too: no pretrained weights have to be there.
    bare = replace(settings, weights=None)
    model = kind.build_model(config.upsampler, config.upsampler_options, about, bare, config.seed)
    task = kind(model, about, settings, config.seed, run)
    task.load_state_dict(checkpoint["state_dict"])
    return task
