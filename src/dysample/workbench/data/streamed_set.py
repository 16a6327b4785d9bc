"""Data sets on disk, read image by image during a run, and augmented for training."""

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from dysample.workbench.data.dataset import DataSet
from dysample.workbench.data.disk_set import describe_disk, open_split
from dysample.workbench.data.sample import Sample, to_sample
from dysample.workbench.data.targets import Kind
from dysample.workbench.data.transforms import evaluation_transform, training_transform
from dysample.workbench.seeds import seeded
from dysample.workbench.settings import SIZES, Settings


class StreamedSet:
    """Images of one size, read anew each time.

    Args:
        task: that the samples are for.
        data: a split whose targets the task can learn from.
        size: height and width of the images.
        count: of images, the first ones.
        collate: makes a batch of a list of samples.
    """

    def __init__(
        self,
        task: Kind,
        data: DataSet[Any],
        size: tuple[int, int],
        count: int,
        collate: Callable[[list[Sample]], Any],
    ) -> None:
        self.task = task
        self.count = count
        self.classes = data.classes
        self.collate = collate
        self.whole = data.transformed(evaluation_transform(data.kind, size))
        self.random = data.transformed(training_transform(data.kind, size))

    def __len__(self) -> int:
        """Number of images."""
        return self.count

    def batch(self, index: Tensor) -> Any:
        """Return the collated samples `index` (B,) int64, without augmentation."""
        return self.collate(
            [to_sample(self.task, self.classes, *self.whole[i], False) for i in index.tolist()]
        )

    def augmented(self, index: Tensor, places: Sequence[int], seed: int) -> Any:
        """Return the collated samples `index`, augmented at random.

        The augmentation depends only on the seed and the position in the stream of samples, so it
        is the same for any world size and in a resumed run.

        Args:
            index: (B,) int64.
            places: positions of the samples in the stream.
            seed: of the run.
        """
        samples = []
        for i, place in zip(index.tolist(), places):
            with seeded(seed, f"place {place}"):
                samples.append(to_sample(self.task, self.classes, *self.random[i], True))
        return self.collate(samples)


def describe_streamed(data: str, settings: Settings, task: Kind) -> dict[str, Any]:
    """Like `describe_disk`, for images of any size; runs on augmented images have other ids."""
    return {**describe_disk(data, settings, task, longest=SIZES[1]), "augmented": True}


def stream_sets(
    data: str, about: dict[str, Any], task: Kind, collate: Callable[[list[Sample]], Any]
) -> tuple[StreamedSet, StreamedSet]:
    """Open training and validation set.

    Args:
        data: ``"NAME:PATH"``.
        about: from `describe_streamed`.
        task: that is to learn from it.
        collate: makes a batch of a list of samples.

    Raises:
        ValueError, FileNotFoundError: as `describe_disk`.
    """
    size = (about["height"], about["width"])
    train, val = (
        StreamedSet(task, open_split(data, split, task), size, about[split], collate)
        for split in ("train", "val")
    )
    return train, val
