"""Check every file before training starts, in threads."""

import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from rich.console import Console
from rich.text import Text
from torch import Tensor

from dysample.workbench.data.dataset import DataSet
from dysample.workbench.data.images import Size, check_image
from dysample.workbench.data.reader import NAMED
from dysample.workbench.data.targets import VOID
from dysample.workbench.metrics.boundary import IGNORE
from dysample.workbench.terminal import bars

Target = TypeVar("Target")


@dataclass(frozen=True)
class Counts:
    """Counts of pixels and objects over some samples.

    Attributes:
        pixels: (classes,) int64, of semantic and panoptic labels.
        objects: (classes,) int64, boxes, masks or segments.
        crowds: objects among them that cover a group.
        labelled: pixels with a class or a depth.
        nearest: smallest depth in metres; infinity without one.
        farthest: largest depth in metres; 0 without one.
    """

    pixels: Tensor
    objects: Tensor
    crowds: int = 0
    labelled: int = 0
    nearest: float = float("inf")
    farthest: float = 0.0

    def __add__(self, other: "Counts") -> "Counts":
        """Return the sum of both counts."""
        return Counts(
            self.pixels + other.pixels,
            self.objects + other.objects,
            self.crowds + other.crowds,
            self.labelled + other.labelled,
            min(self.nearest, other.nearest),
            max(self.farthest, other.farthest),
        )


def no_counts(data: DataSet[Any]) -> Counts:
    """Return counts of zero, for no samples."""
    none = torch.zeros(len(data.classes.names), dtype=torch.int64)
    return Counts(none, none)


def count(data: DataSet[Any], target: Any) -> Counts:
    """Count one sample of a data set."""
    classes = len(data.classes.names)
    none = torch.zeros(classes, dtype=torch.int64)
    if data.kind == "semantic":
        pixels = torch.bincount(target.flatten(), minlength=IGNORE + 1)[:classes]
        return Counts(pixels, none, labelled=int(pixels.sum()))
    if data.kind == "depth":
        known = target[target > 0]
        if not len(known):
            return Counts(none, none)
        nearest, farthest = float(known.min()), float(known.max())
        return Counts(none, none, 0, len(known), nearest, farthest)
    if data.kind == "panoptic":
        categories = target["categories"]
        segments = target["segments"].flatten() - VOID  # 0 is none
        sizes = torch.bincount(segments, minlength=1 + len(categories))[1:]
        pixels = none.index_add(0, categories, sizes)
        objects = torch.bincount(categories, minlength=classes)
        crowds = int(target["iscrowd"].sum())
        return Counts(pixels, objects, crowds, int(sizes.sum()))
    objects = torch.bincount(target["labels"] - 1, minlength=classes)
    return Counts(none, objects, int(target["iscrowd"].sum()))


@dataclass(frozen=True)
class Scan:
    """The result of a scan.

    Attributes:
        sizes: number of images of each (height, width).
        counts: pixels and objects of the targets.
        problems: for each sample that cannot be used, its index and a line that names the file.
    """

    sizes: Counter[Size]
    counts: Counts
    problems: dict[int, str]


def scan(data: DataSet[Any], console: Console) -> Scan:
    """Decode every image, a JPEG at an eighth of its size, and read every target.

    Args:
        data: a split.
        console: for a bar.
    """
    sizes: Counter[Size] = Counter()
    counts = no_counts(data)
    problems: dict[int, str] = {}
    for index, found in enumerate(_look(data, console)):
        if isinstance(found, str):
            problems[index] = found
        else:
            sizes[found[0]] += 1
            counts = counts + found[1]
    return Scan(sizes, counts, problems)


def absent_classes(data: DataSet[Any], found: Scan) -> tuple[str, ...]:
    """Return a line that names the classes in no target, and a likely reason; none if all occur.

    Args:
        data: a split.
        found: its scan.
    """
    names = data.classes.names
    occurs = (found.counts.pixels + found.counts.objects) > 0
    absent = [name for name, there in zip(names, occurs.tolist()) if not there]
    if not absent:
        return ()
    shown = ", ".join(absent[:NAMED]) + (", ..." if len(absent) > NAMED else "")
    line = f"{data.name} {data.split}: {len(absent)} of {len(names)} classes never occur: {shown}"
    pixels = sum(height * width * number for (height, width), number in found.sizes.items())
    if data.name == "folders" and len(names) == 2 and found.counts.labelled < pixels:
        line += "; where 255 is a class and not void, `binary:PATH` reads it"
    return (line,)


def check(data: DataSet[Target], console: Console, *, skip_bad: bool = False) -> DataSet[Target]:
    """Return the data set after checking that all of its samples can be used.

    Args:
        data: a split.
        console: for a progress bar, the number of dropped samples, what the reader skipped,
            and classes that never occur.
        skip_bad: leave out samples with problems instead of raising.

    Raises:
        ValueError: a sample that cannot be used, unless `skip_bad`; no sample that can; or none
            with anything to learn from.
    """
    found = scan(data, console)
    if found.problems:
        number = f"{len(found.problems)} of {len(data)} samples of {data.name} {data.split}"
        first = f"the first: {next(iter(found.problems.values()))}"
        if not skip_bad or len(found.problems) == len(data):
            raise ValueError(f"{number} cannot be used; {first}")
        line = f"{number} cannot be used and are left out; {first}"
        console.print(Text(line), soft_wrap=True)
        data = data.without(set(found.problems))
    _check_something(data, found.counts)
    for line in (*data.notes, *absent_classes(data, found)):
        console.print(Text(line), soft_wrap=True)
    return data


def _check_something(data: DataSet[Any], counts: Counts) -> None:
    """Raise a ValueError if all targets are empty: nothing could be learned, nothing measured."""
    if data.kind in ("detection", "instance"):
        what, found = "objects", int(counts.objects.sum()) - counts.crowds
    else:
        what = "depths that are known" if data.kind == "depth" else "labelled pixels"
        found = counts.labelled
    if not found:
        raise ValueError(f"{data.name} {data.split} must hold {what}, but no image has one")


def _look(data: DataSet[Any], console: Console) -> Iterator[tuple[Size, Counts] | str]:
    """Yield size and counts of each sample in order, or its problem."""

    def look(index: int) -> tuple[Size, Counts] | str:
        item = data.items[index]
        try:
            size = check_image(item.image, item.size)
            return size, count(data, data.read_target(item, size))
        except (ValueError, OSError) as error:
            return str(error)
        except MemoryError:
            return f"image {item.image}: there is not enough memory for it"

    # Decoding files releases the interpreter's lock.
    threads = ThreadPoolExecutor(min(16, 2 * (os.cpu_count() or 1)))
    try:
        with bars(console) as progress:
            found = threads.map(look, range(len(data)))
            name = f"{data.name} {data.split}"
            yield from progress.track(found, total=len(data), description=name)
    finally:
        # If the scan is stopped, do not wait for the remaining files.
        threads.shutdown(cancel_futures=True)
