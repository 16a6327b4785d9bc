"""The main metrics on parts of the validation images, for the variance over images."""

from typing import Any

import torch

from dysample.workbench.data.batches import EVALUATION_BATCH
from dysample.workbench.record import MAIN
from dysample.workbench.tasks.base import Task, plain

PARTS = 10


@torch.no_grad()
def measure_parts(task: Task, images: Any) -> dict[str, tuple[float | None, ...]]:
    """The main metrics on each of ten parts of a data set; None where one is undefined.

    The parts are consecutive, as neighbours may be frames of one video, and equal but for one
    image. Runs on one data set pair by part as they do by seed.

    Args:
        task: trained.
        images: a data set of the task, in memory.
    """
    task.eval()
    main = list(task.measures)[:MAIN]
    found: dict[str, list[float | None]] = {key: [] for key in main}
    for part in torch.arange(len(images)).tensor_split(min(PARTS, len(images))):
        task.reset_metrics()
        for index in torch.split(part, EVALUATION_BATCH):
            task.update(images.batch(index))
        numbers = task.compute()
        for key in main:
            number = plain(numbers[key])
            found[key].append(None if number is None else float(f"{number:.5g}"))
    return {key: tuple(values) for key, values in found.items()}
