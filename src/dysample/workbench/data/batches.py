"""The stream of training batches: seeded, and resumable at any batch."""

import sys
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from dysample.workbench.data.streamed_set import StreamedSet
from dysample.workbench.seeds import derive_seed
from dysample.workbench.signals import kept_from_workers

EVALUATION_BATCH = 32
"""Images that are evaluated at once."""


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

    A batch may be cut into equal parts, which a process takes one after the other, or several
    processes side by side; together they see the same batches.

    Args:
        images: the training set.
        batch_size: images a batch.
        steps: batches in the whole run.
        seed: of the run.
        accumulate: parts that each process takes of a batch.
        process: number of this process, from 0.
        processes: that train together.
        workers: processes that make parts ahead.
    """

    def __init__(
        self,
        images: Images | StreamedSet,
        batch_size: int,
        steps: int,
        seed: int,
        accumulate: int = 1,
        process: int = 0,
        processes: int = 1,
        workers: int = 0,
    ) -> None:
        self.images = images
        self.workers = workers
        self.batch_size = batch_size
        self.steps = steps
        self.seed = seed
        self.accumulate = accumulate
        self.process = process
        self.processes = processes
        self._next = 0

    def __len__(self) -> int:
        """Parts in the whole run."""
        return self.steps * self.accumulate

    def __iter__(self) -> Iterator[Any]:
        """The parts that are left, from `part`."""
        for part in _read_ahead(self.part, range(self._next, len(self)), self.workers):
            # Counted before it is handed out: a checkpoint taken after this part's step has to
            # go on with the next one.
            self._next += 1
            yield part

    def part(self, i: int) -> Any:
        """Part i of this process, counted from 0 through all batches."""
        step, part = divmod(i, self.accumulate)
        size = self.batch_size // (self.accumulate * self.processes)
        first = step * self.batch_size + (part * self.processes + self.process) * size
        index, flips = self._images(first, first + size)
        if isinstance(self.images, StreamedSet):
            return self.images.augmented(index, range(first, first + size), self.seed)
        return self.images.batch(index, flips)

    def _images(self, first: int, end: int) -> tuple[Tensor, Tensor]:
        """Numbers of the images at some places of the stream, and whether they are mirrored."""
        order, flips = [], []
        count = len(self.images)
        for epoch in range(first // count, (end - 1) // count + 1):
            generator = torch.Generator().manual_seed(derive_seed(self.seed, f"epoch {epoch}"))
            part = slice(max(first - epoch * count, 0), end - epoch * count)
            order.append(torch.randperm(count, generator=generator)[part])
            flips.append((torch.rand(count, generator=generator) < 0.5)[part])
        return torch.cat(order), torch.cat(flips)

    def state_dict(self) -> dict[str, Any]:
        """The number of parts handed out."""
        return {"next": self._next}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on after the parts that were handed out before."""
        self._next = state["next"]


class EvaluationBatches:
    """All images once, in order and as they are.

    Each of several processes takes some consecutive batches. They are those of one process, as the
    numbers that a model computes for an image depend, in their last digits, on the batch's size;
    smaller ones only where there would not be one for each process.

    Args:
        images: the validation set.
        process: number of this process, from 0.
        processes: that evaluate together.
        workers: processes that make batches ahead.
        batch_size: images a batch; the last one may hold fewer.

    Raises:
        ValueError: fewer images than processes.
    """

    def __init__(
        self,
        images: Images | StreamedSet,
        process: int = 0,
        processes: int = 1,
        workers: int = 0,
        batch_size: int = EVALUATION_BATCH,
    ) -> None:
        count = len(images)
        if count < processes:
            raise ValueError(f"`devices` (={processes} in all) must not exceed {count} val images")
        if count <= batch_size * (processes - 1):
            batch_size = count // processes
        self.images = images
        self.workers = workers
        every = torch.split(torch.arange(count), batch_size)
        first, end = (len(every) * p // processes for p in (process, process + 1))
        self._batches = every[first:end]

    def __len__(self) -> int:
        """Batches of this process in one pass."""
        return len(self._batches)

    def __iter__(self) -> Iterator[Any]:
        """The batches, as the data set makes them."""
        yield from _read_ahead(self._batch, range(len(self)), self.workers)

    def _batch(self, i: int) -> Any:
        return self.images.batch(self._batches[i])


class _Made(Dataset[Any]):
    """What a function makes of each number."""

    def __init__(self, make: Callable[[int], Any]) -> None:
        self.make = make

    def __getitem__(self, i: int) -> Any:
        return self.make(i)


def _read_ahead(make: Callable[[int], Any], numbers: range, workers: int) -> Iterator[Any]:
    """`make(i)` of each number in order; by workers ahead, if there are any."""
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
    """Say nothing of a training that was stopped while it took a batch.

    Python shows what happens to the thread by which a worker hands over tensors; what happens to
    the making of a batch is raised where the batch is awaited.
    """
    usual = sys.excepthook

    def tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if not isinstance(error, EOFError | OSError):
            usual(kind, error, trace)

    sys.excepthook = tell
