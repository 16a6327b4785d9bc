"""The stream of training batches: seeded, and resumable at any batch."""

from collections.abc import Iterator
from typing import Any, Protocol

import torch
from torch import Tensor

from dysample.workbench.seeds import derive_seed


class Images(Protocol):
    """A data set in memory."""

    def __len__(self) -> int:
        """Number of images."""

    def batch(self, index: Tensor, flip: Tensor | None = None) -> Any:
        """What a task takes, of images `index` (B,), mirrored where `flip` (B,) bool."""


class TrainingBatches:
    """A run's batches, of shuffled and randomly mirrored images.

    Batch i depends on the seed and i alone: a resumed run, and runs of other upsamplers with the
    same seed, see the same images in the same order. One shuffled pass follows another without a
    break, so every batch is full. Lightning stores and restores the place through `state_dict`.

    Args:
        images: the training set.
        batch_size: images a batch.
        steps: batches in the whole run.
        seed: of the run.
    """

    def __init__(self, images: Images, batch_size: int, steps: int, seed: int) -> None:
        self.images = images
        self.batch_size = batch_size
        self.steps = steps
        self.seed = seed
        self._next = 0

    def __len__(self) -> int:
        """Batches in the whole run."""
        return self.steps

    def __iter__(self) -> Iterator[Any]:
        """The batches that are left, from `batch`."""
        while self._next < self.steps:
            # Counted before it is handed out: a checkpoint taken after this batch's step has to
            # go on with the next one.
            self._next += 1
            yield self.batch(self._next - 1)

    def batch(self, i: int) -> Any:
        """The batch of step i, from 0."""
        order, flips = [], []
        first, last = i * self.batch_size, (i + 1) * self.batch_size
        count = len(self.images)
        for epoch in range(first // count, (last - 1) // count + 1):
            generator = torch.Generator().manual_seed(derive_seed(self.seed, f"epoch {epoch}"))
            part = slice(max(first - epoch * count, 0), last - epoch * count)
            order.append(torch.randperm(count, generator=generator)[part])
            flips.append((torch.rand(count, generator=generator) < 0.5)[part])
        return self.images.batch(torch.cat(order), torch.cat(flips))

    def state_dict(self) -> dict[str, Any]:
        """The number of batches handed out."""
        return {"next": self._next}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on after the batches that were handed out before."""
        self._next = state["next"]


class EvaluationBatches:
    """All images once, in order and as they are.

    Args:
        images: the validation set.
        batch_size: images a batch; the last one may hold fewer.
    """

    def __init__(self, images: Images, batch_size: int = 32) -> None:
        self.images = images
        self.batch_size = batch_size

    def __len__(self) -> int:
        """Batches in one pass."""
        return -(-len(self.images) // self.batch_size)

    def __iter__(self) -> Iterator[Any]:
        """The batches, as the data set makes them."""
        for index in torch.split(torch.arange(len(self.images)), self.batch_size):
            yield self.images.batch(index)
