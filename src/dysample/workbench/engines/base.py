"""What every engine is: it does jobs side by side and says how each one ended."""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

from dysample.workbench.record import Record

Step: TypeAlias = tuple[str, int, int]  # run id, steps done, steps in all
Tell: TypeAlias = Callable[[int, int], None]  # steps done, steps in all
OnStep: TypeAlias = Callable[[str, int, int], None]
Job: TypeAlias = Callable[[Tell], Record]


@dataclass(frozen=True)
class Outcome:
    """How a run ended: with a record, or with the reason why there is none.

    Attributes:
        run: id.
        record: of the run.
        error: the reason.
        lost_workers: how many processes or machines died under the run before it ended.
    """

    run: str
    record: Record | None = None
    error: str = ""
    lost_workers: int = 0


class Engine(ABC):
    """Does jobs in other processes."""

    @contextmanager
    def open(self) -> Iterator[None]:
        """What has to be open around `run_jobs`; at its end jobs that still run are stopped.

        Raises:
            ValueError: it cannot be opened as asked.
        """
        yield

    @abstractmethod
    def run_jobs(self, jobs: dict[str, Job], on_step: OnStep) -> Generator[Outcome, None, None]:
        """Do the jobs, starting them in the given order, and yield each as it ends.

        A job that raises does not stop the others, and is not repeated. Each has one thread: runs
        then neither share state nor fight for cores. They die with this process, however it ends.

        Args:
            jobs: by run id; called with a function that takes (steps done, steps in all). Must be
                picklable.
            on_step: called in this process with (run id, steps done, steps in all), for the last
                time before the run's outcome is yielded.
        """


def telling(run: str, send: Callable[[Step], object]) -> Tell:
    """What a job is called with: sends every fifth step and the last, which is often enough."""

    def tell(done: int, total: int) -> None:
        if done % 5 == 0 or done == total:
            send((run, done, total))

    return tell


def failure(error: BaseException) -> str:
    """An exception as the reason of an outcome, in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def cores() -> int:
    """Cores that this process may use, which in a container are fewer than the machine's."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
