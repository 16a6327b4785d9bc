"""The base class of the engines, which run jobs in parallel and report how each one ended."""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

from dysample.workbench.record import Record
from dysample.workbench.tasks.base import DivergedError

Step: TypeAlias = tuple[str, int, int]  # run id, steps done, steps in all
Tell: TypeAlias = Callable[[int, int], None]  # steps done, steps in all
OnStep: TypeAlias = Callable[[str, int, int], None]
Job: TypeAlias = Callable[[Tell], Record]


@dataclass(frozen=True)
class Outcome:
    """The outcome of a run: a record, or the reason why there is none.

    Attributes:
        run: id.
        record: of the run.
        error: the reason.
        diverged: whether it is that the training diverged, as it would again.
        lost_workers: how often the run lost its process or machine before it ended.
    """

    run: str
    record: Record | None = None
    error: str = ""
    diverged: bool = False
    lost_workers: int = 0

    @classmethod
    def failed(cls, run: str, error: BaseException, lost_workers: int = 0) -> "Outcome":
        """Return the outcome of a run that raised an error."""
        diverged = isinstance(error, DivergedError)
        return cls(run, None, failure(error), diverged, lost_workers)


class Engine(ABC):
    """Runs jobs in other processes."""

    @contextmanager
    def open(self) -> Iterator[None]:
        """Open the engine for `run_jobs`; on exit, jobs that still run are stopped.

        Raises:
            ValueError: it cannot be opened as asked.
        """
        yield

    @abstractmethod
    def run_jobs(self, jobs: dict[str, Job], on_step: OnStep) -> Generator[Outcome, None, None]:
        """Run the jobs, starting them in the given order, and yield each outcome as it ends.

        A job that raises does not stop the others, and is not repeated. Each job has one thread, so
        runs neither share state nor compete for cores. Jobs end with this process, however it ends.

        Args:
            jobs: by run id; called with a function that takes (steps done, steps in all). Must be
                picklable.
            on_step: called in this process with (run id, steps done, steps in all), for the last
                time before the run's outcome is yielded.
        """


def telling(run: str, send: Callable[[Step], object]) -> Tell:
    """Return the function to which a job reports: it sends every fifth step and the last."""

    def tell(done: int, total: int) -> None:
        if done % 5 == 0 or done == total:
            send((run, done, total))

    return tell


def failure(error: BaseException) -> str:
    """Return an exception in one line, as the reason of an outcome."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def cores() -> int:
    """Return the number of cores that this process may use, which may be fewer in a container."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
