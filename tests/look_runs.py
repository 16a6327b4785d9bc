"""Runs as `dysample compare` leaves them, trained for two steps."""

from __future__ import annotations

from pathlib import Path

from dysample.workbench.compare import run_folder
from dysample.workbench.record import run_id
from dysample.workbench.run import describe_data, run_task
from dysample.workbench.settings import settings_for

TINY = {"size": 64, "steps": 2, "batch_size": 2, "width": 32, "train_frames": 4, "val_frames": 2}


def train(output: Path, upsampler: str, task: str = "semantic") -> Path:
    """The folder of a run, as `dysample compare` leaves it."""
    settings = settings_for(task, "scenes", **TINY)
    about = describe_data(task, "scenes", settings, streamed=False)
    run = run_id(task, about, upsampler, {}, 0, settings.to_dict())
    folder = run_folder(output, task, upsampler, 0, run)
    run_task(task, upsampler, 0, "scenes", settings, folder)
    return folder
