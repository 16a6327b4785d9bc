"""Data sets on disk read as they are needed, for every task."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from dysample.workbench.data.batches import EvaluationBatches, TrainingBatches
from dysample.workbench.data.catalog import READERS
from dysample.workbench.data.sample import SOURCES
from dysample.workbench.data.streamed_set import StreamedSet, describe_streamed, stream_sets
from dysample.workbench.tasks.by_name import task_class
from support.layouts import LAYOUTS

PAIRS = [
    (task, name)
    for name, reader in sorted(READERS.items())
    for task, kinds in SOURCES.items()
    if reader.kind in kinds
]


def load(task: str, name: str, folder: Path, tiny: Callable) -> tuple[StreamedSet, StreamedSet]:
    data = f"{name}:{LAYOUTS[name](folder)}"
    settings = tiny(data, task, size=48, train_frames=None, val_frames=None)
    kind = task_class(task)
    about = describe_streamed(data, settings, kind.kind)
    assert about["augmented"] is True
    return stream_sets(data, about, kind.kind, kind.batch)


def plain(value: Any) -> list[torch.Tensor]:
    """Every tensor of a batch."""
    if isinstance(value, torch.Tensor):
        return [value]
    parts = value.values() if isinstance(value, dict) else value
    return [t for part in parts if not isinstance(part, int) for t in plain(part)]


def equal(one: Any, other: Any) -> bool:
    pairs = list(zip(plain(one), plain(other), strict=True))
    return all(a.shape == b.shape and torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize(("task", "name"), PAIRS)
def test_samples_at_random_and_whole(task: str, name: str, tmp_path: Path, tiny: Callable) -> None:
    train, val = load(task, name, tmp_path, tiny)
    index = torch.zeros(3, dtype=torch.int64)
    batch = train.augmented(index, [0, 1, 2], seed=0)
    images = torch.stack(list(batch[0]))
    assert images.shape == (3, 3, 48, 64)
    assert not torch.equal(images[0], images[1])
    # Up to place and seed alone, and the global generator is left as it was.
    state = torch.get_rng_state()
    assert equal(train.augmented(index, [0, 1, 2], seed=0), batch)
    assert torch.equal(torch.get_rng_state(), state)
    alone = train.augmented(index[:1], [1], seed=0)
    assert torch.equal(torch.stack(list(alone[0]))[0], images[1])
    assert not equal(train.augmented(index, [0, 1, 2], seed=1)[0], batch[0])
    assert equal(val.batch(torch.tensor([0])), val.batch(torch.tensor([0])))


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_change_nothing(workers: int, tmp_path: Path, tiny: Callable) -> None:
    train, val = load("instance", "pennfudan", tmp_path, tiny)
    expected = list(TrainingBatches(train, 2, 4, seed=3))
    found = list(TrainingBatches(train, 2, 4, seed=3, workers=workers))
    assert len(found) == 4
    assert all(equal(a, b) for a, b in zip(expected, found))
    assert all(
        equal(a, b)
        for a, b in zip(
            EvaluationBatches(val, batch_size=1),
            EvaluationBatches(val, batch_size=1, workers=workers),
            strict=True,
        )
    )
    # Batches made ahead are not counted before they are handed out.
    begun = TrainingBatches(train, 2, 4, seed=3, workers=workers)
    next(iter(begun))
    resumed = TrainingBatches(train, 2, 4, seed=3, workers=workers)
    resumed.load_state_dict(begun.state_dict())
    assert all(equal(a, b) for a, b in zip(expected[1:], resumed, strict=True))
