"""The stream of training batches, seeded and resumable at any batch."""

import sys
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from dysample.workbench.seeds import derive_seed
from dysample.workbench.signals import kept_from_workers

EVALUATION_BATCH = 32
"""Batch size of evaluations."""


class Images(Protocol):
    """A data set: `SceneSet` or `DiskSet`."""

    def __len__(self) -> int:
        """Number of images."""

    def batch(self, index: Tensor) -> Any:
        """Return a task's batch of the images `index` (B,), as they are."""

    def training_batch(self, index: Tensor, flip: Tensor, places: Sequence[int], seed: int) -> Any:
        """Return a task's batch of the images `index` (B,), varied at random.

        Args:
            index: (B,) int64.
            flip: (B,) bool, the images to flip where flipping is all that is done.
            places: positions in the stream, on which augmentation depends besides the seed.
            seed: of the run.
        """


class TrainingBatches:
    """The training batches of a run: shuffled images, flipped or augmented at random.

    Batch i depends on the seed and i alone: a resumed run, and runs of other upsamplers with the
    same seed, see the same images in the same order. Batches run across the ends of epochs, so
    every batch is full. Lightning saves and restores the position through `state_dict`.

    A batch may be split into equal parts, over accumulation steps and ranks; together these see the
    same batches.

    Args:
        images: the training set.
        batch_size: images in a batch, over all ranks and accumulation steps.
        steps: batches in the whole run.
        seed: of the run.
        accumulate: accumulation steps.
        rank: of this process.
        world_size: number of training processes.
        workers: processes that prefetch parts.
    """

    def __init__(
        self,
        images: Images,
        batch_size: int,
        steps: int,
        seed: int,
        accumulate: int = 1,
        rank: int = 0,
        world_size: int = 1,
        workers: int = 0,
    ) -> None:
        self.images = images
        self.workers = workers
        self.batch_size = batch_size
        self.steps = steps
        self.seed = seed
        self.accumulate = accumulate
        self.rank = rank
        self.world_size = world_size
        self._next = 0

    def __len__(self) -> int:
        """Parts in the whole run."""
        return self.steps * self.accumulate

    def __iter__(self) -> Iterator[Any]:
        """Yield the remaining parts."""
        for part in _read_ahead(self.part, range(self._next, len(self)), self.workers):
            # Counted before it is yielded: a checkpoint taken after this part's step resumes with
            # the next one.
            self._next += 1
            yield part

    def part(self, i: int) -> Any:
        """Return part i of this rank, counted from 0 through all batches."""
        step, part = divmod(i, self.accumulate)
        size = self.batch_size // (self.accumulate * self.world_size)
        first = step * self.batch_size + (part * self.world_size + self.rank) * size
        index, flips = self._images(first, first + size)
        return self.images.training_batch(index, flips, range(first, first + size), self.seed)

    def _images(self, first: int, end: int) -> tuple[Tensor, Tensor]:
        """Return the image indices at some positions of the stream, and whether to flip them."""
        order, flips = [], []
        count = len(self.images)
        for epoch in range(first // count, (end - 1) // count + 1):
            generator = torch.Generator().manual_seed(derive_seed(self.seed, f"epoch {epoch}"))
            part = slice(max(first - epoch * count, 0), end - epoch * count)
            order.append(torch.randperm(count, generator=generator)[part])
            flips.append((torch.rand(count, generator=generator) < 0.5)[part])
        return torch.cat(order), torch.cat(flips)

    def state_dict(self) -> dict[str, Any]:
        """Return the number of parts yielded so far."""
        return {"next": self._next}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resume after the parts that were yielded before."""
        self._next = state["next"]


class EvaluationBatches:
    """All images once, in order and without augmentation.

    Each rank takes consecutive batches. They are the same as for a single process, because the last
    digits of a model's output depend on the batch size; only if there are fewer batches than ranks,
    batches are smaller.

    Args:
        images: the validation set.
        rank: of this process.
        world_size: number of evaluating processes.
        workers: processes that prefetch batches.
        batch_size: images in a batch; the last one may be smaller.

    Raises:
        ValueError: fewer images than ranks.
    """

    def __init__(
        self,
        images: Images,
        rank: int = 0,
        world_size: int = 1,
        workers: int = 0,
        batch_size: int = EVALUATION_BATCH,
    ) -> None:
        count = len(images)
        if count < world_size:
            raise ValueError(f"`devices` (={world_size} in all) must not exceed {count} val images")
        if count <= batch_size * (world_size - 1):
            batch_size = count // world_size
        self.images = images
        self.workers = workers
        every = torch.split(torch.arange(count), batch_size)
        first, end = (len(every) * p // world_size for p in (rank, rank + 1))
        self._batches = every[first:end]

    def __len__(self) -> int:
        """Number of batches of this rank."""
        return len(self._batches)

    def __iter__(self) -> Iterator[Any]:
        """Yield the batches."""
        yield from _read_ahead(self._batch, range(len(self)), self.workers)

    def _batch(self, i: int) -> Any:
        return self.images.batch(self._batches[i])


class _Made(Dataset[Any]):
    """A data set of the results of a function for each index."""

    def __init__(self, make: Callable[[int], Any]) -> None:
        self.make = make

    def __getitem__(self, i: int) -> Any:
        return self.make(i)


def _read_ahead(make: Callable[[int], Any], numbers: range, workers: int) -> Iterator[Any]:
    """Yield `make(i)` for each index in order, prefetched by workers if there are any."""
    if not workers:
        return map(make, numbers)
    loader = DataLoader(
        _Made(make),
        batch_size=None,
        sampler=numbers,
        num_workers=workers,
        collate_fn=_as_is,
        worker_init_fn=_start_worker,
    )
    with kept_from_workers():
        return iter(loader)


def _as_is(batch: Any) -> Any:
    return batch


def _start_worker(_: int) -> None:
    """Silence the traceback of a worker whose training was stopped while it took a batch.

    Python prints errors of the thread by which a worker sends tensors. Errors in making a batch are
    raised in the main process.
    """
    usual = sys.excepthook

    def tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if not isinstance(error, EOFError | OSError):
            usual(kind, error, trace)

    sys.excepthook = tell
