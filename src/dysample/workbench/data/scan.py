"""A look at every file before training starts, in threads."""

import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from dysample.workbench.data.counts import Counts, count, no_counts
from dysample.workbench.data.dataset import DataSet
from dysample.workbench.data.images import check_image

Target = TypeVar("Target")
Size = tuple[int, int]


@dataclass(frozen=True)
class Scan:
    """What was found.

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


def check(data: DataSet[Target], console: Console, *, skip_bad: bool = False) -> DataSet[Target]:
    """The data set, all of whose samples can be used.

    Args:
        data: a split.
        console: for a bar, and the number of samples that were left out.
        skip_bad: leave out samples with problems instead of raising.

    Raises:
        ValueError: a sample that cannot be used, unless `skip_bad`; or no sample that can.
    """
    problems = scan(data, console).problems
    if not problems:
        return data
    number = f"{len(problems)} of {len(data)} samples of {data.name} {data.split} cannot be used"
    first = next(iter(problems.values()))
    if not skip_bad or len(problems) == len(data):
        raise ValueError(f"{number}; the first: {first}")
    message = f"{number} and are left out; the first: {first}"
    console.print(message, markup=False, highlight=False, soft_wrap=True)
    return data.without(set(problems))


def _look(data: DataSet[Any], console: Console) -> Iterator[tuple[Size, Counts] | str]:
    """Size and counts of each sample in order, or what is wrong with it."""

    def look(index: int) -> tuple[Size, Counts] | str:
        item = data.items[index]
        try:
            size = check_image(item.image)
            return size, count(data, data.read_target(item, size))
        except (ValueError, OSError) as error:
            return str(error)

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    # Decoding files releases the interpreter's lock.
    threads = ThreadPoolExecutor(min(16, 2 * (os.cpu_count() or 1)))
    try:
        with bar:
            found = threads.map(look, range(len(data)))
            name = f"{data.name} {data.split}"
            yield from bar.track(found, total=len(data), description=name)
    finally:
        # Somebody who stops the scan should not wait for the files that are left.
        threads.shutdown(cancel_futures=True)
