"""Runs side by side in local processes, one thread each."""

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import connection, get_context, parent_process
from multiprocessing.queues import SimpleQueue
from typing import Any, TypeAlias

Step: TypeAlias = tuple[str, int, int]  # run id, steps done, steps in all
Job: TypeAlias = Callable[[Callable[[int, int], None]], dict[str, Any]]

_steps: "SimpleQueue[Step] | None" = None  # the worker's end


@dataclass(frozen=True)
class Outcome:
    """How a run ended: with a record, or with the reason why there is none."""

    run: str
    record: dict[str, Any] | None = None
    error: str = ""


def run_jobs(
    jobs: dict[str, Job], workers: int, on_step: Callable[[str, int, int], None]
) -> Iterator[Outcome]:
    """Do the jobs, `workers` at a time in the given order, and yield each as it ends.

    A job that raises does not stop the others. Workers are new processes with one thread each:
    runs then neither share state nor fight for cores. They die with this process, however it
    ends.

    Args:
        jobs: by run id; called with a function that takes (steps done, steps in all). Must be
            picklable.
        workers: processes.
        on_step: called in this process with (run id, steps done, steps in all), for the last time
            before the run's outcome is yielded.
    """
    context = get_context("spawn")
    # Not a Queue, whose thread sends when it gets to it: a step could arrive after its outcome.
    steps: SimpleQueue[Step] = context.SimpleQueue()
    pool = ProcessPoolExecutor(workers, context, initializer=_start_worker, initargs=(steps,))
    try:
        futures = {pool.submit(_work, run, job): run for run, job in jobs.items()}
        waiting = set(futures)
        while waiting:
            done, waiting = wait(waiting, timeout=0.2, return_when=FIRST_COMPLETED)
            for step in _arrived(steps):
                on_step(*step)
            for future in done:
                yield _outcome(futures[future], future)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _arrived(steps: "SimpleQueue[Step]") -> Iterable[Step]:
    while not steps.empty():
        yield steps.get()


def _outcome(run: str, future: "Future[dict[str, Any]]") -> Outcome:
    try:
        return Outcome(run, record=future.result())
    except BrokenProcessPool:
        return Outcome(run, error="its process was killed (out of memory?)")
    except Exception as error:
        return Outcome(run, error=f"{type(error).__name__}: {error}")


def _start_worker(steps: "SimpleQueue[Step]") -> None:
    global _steps
    _steps = steps
    threading.Thread(target=_die_with_parent, daemon=True).start()
    import torch

    torch.set_num_threads(1)


def _die_with_parent() -> None:
    """A comparison killed outright must leave nobody behind who still writes checkpoints."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def _work(run: str, job: Job) -> dict[str, Any]:
    def tell(done: int, total: int) -> None:
        if _steps is not None and (done % 5 == 0 or done == total):
            _steps.put((run, done, total))

    return job(tell)
