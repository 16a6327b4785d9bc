"""Run jobs in parallel in local processes."""

import os
import threading
from collections.abc import Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import active_children, connection, get_context, parent_process
from multiprocessing.queues import SimpleQueue

from dysample.workbench.compare.engines.base import (
    Engine,
    Job,
    OnStep,
    Outcome,
    Step,
    cores,
    telling,
)
from dysample.workbench.record import Record
from dysample.workbench.signals import kept_from_workers

_steps: "SimpleQueue[Step]"  # the worker's end


class LocalEngine(Engine):
    """Runs jobs in new processes on this machine.

    Args:
        workers: processes; None for one a core.
    """

    def __init__(self, workers: int | None = None) -> None:
        self._workers = workers or cores()

    def run_jobs(self, jobs: dict[str, Job], on_step: OnStep) -> Generator[Outcome, None, None]:
        """See `Engine.run_jobs`."""
        context = get_context("spawn")
        # Not a Queue, which sends from a thread: a step could arrive after its outcome.
        steps: SimpleQueue[Step] = context.SimpleQueue()
        workers = min(self._workers, len(jobs))
        pool = ProcessPoolExecutor(workers, context, initializer=_start_worker, initargs=(steps,))
        others = set(active_children())
        waiting: set[Future[Record]] = set()
        try:
            with kept_from_workers():
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
            if waiting:  # nobody needs their runs, but Python would wait for them at exit
                for worker in set(active_children()) - others:
                    worker.kill()


def _arrived(steps: "SimpleQueue[Step]") -> Iterable[Step]:
    while not steps.empty():
        yield steps.get()


def _outcome(run: str, future: "Future[Record]") -> Outcome:
    try:
        return Outcome(run, record=future.result())
    except BrokenProcessPool:
        return Outcome(run, error="its process was killed (out of memory?)", lost_workers=1)
    except Exception as error:
        return Outcome.failed(run, error)


def _start_worker(steps: "SimpleQueue[Step]") -> None:
    global _steps
    _steps = steps
    threading.Thread(target=_die_with_parent, daemon=True).start()
    import torch

    torch.set_num_threads(1)


def _die_with_parent() -> None:
    """End this worker with its parent: after a SIGKILL no worker may still write checkpoints."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def _work(run: str, job: Job) -> Record:
    return job(telling(run, _steps.put))
