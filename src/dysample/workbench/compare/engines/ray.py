"""Runs side by side as tasks of Ray, on this machine or on the nodes of a cluster."""

import logging
import os
import re
import signal
import socket
import threading
from collections import Counter, deque
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError
from ray.util.queue import Queue
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from dysample.workbench.compare.engines.base import (
    Engine,
    Job,
    OnStep,
    Outcome,
    cores,
    failure,
    telling,
)
from dysample.workbench.record import Record

RETRIES = 2
"""How often a run is restarted because its process or its machine was lost."""

# Only records of some 100 kB pass through it. Ray's default is a third of the memory.
_OBJECT_STORE = 128 * 2**20

_QUIET: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}


class RayEngine(Engine):
    """Runs jobs as Ray tasks, one CPU each.

    A task whose process or node dies is restarted, at most `RETRIES` times; in the same folder it
    resumes from its checkpoint.

    Args:
        workers: tasks at a time; None for one for each core, or with an address for each CPU of the
            cluster.
        address: of a running cluster, ``"auto"`` or ``"HOST:PORT"``; None starts a Ray on this
            machine that ends with the engine.

    Raises:
        ValueError: an address of another form, or where no cluster listens.
    """

    def __init__(self, workers: int | None = None, address: str | None = None) -> None:
        if address is not None and address != "auto":
            _check_listens(address)
        self._workers = workers
        self._address = address

    @contextmanager
    def open(self) -> Iterator[None]:
        """Start Ray, or connect to the cluster; on exit Ray stops what is still running.

        Raises:
            ValueError: the cluster cannot be connected to.
        """
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        # Ray would print a paragraph for each lost process; the outcome says it in a word.
        ray._private.worker._worker_logs_enabled = False
        handler = signal.getsignal(signal.SIGTERM)
        try:
            if self._address is None:
                self._start()
            else:
                self._connect(self._address)
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGTERM, handler)  # Ray's handler exits with a code of its own
            yield
        finally:
            ray.shutdown()

    def run_jobs(self, jobs: dict[str, Job], on_step: OnStep) -> Generator[Outcome, None, None]:
        """See `Engine.run_jobs`."""
        # On this node: if another node died, the steps of all runs would be lost.
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        steps = Queue(actor_options={"num_cpus": 0, "scheduling_strategy": here})
        # Ray's own retries would be unlimited if the memory is too small for a run.
        work = ray.remote(num_cpus=1, max_retries=0)(_work)
        waiting = deque(jobs)
        running: dict[ray.ObjectRef[Record], str] = {}
        lost: Counter[str] = Counter()
        while waiting or running:
            while waiting and (self._workers is None or len(running) < self._workers):
                run = waiting.popleft()
                running[work.remote(run, jobs[run], version("dysample"), steps)] = run
            done, _ = ray.wait(list(running), timeout=0.2)
            for step in steps.get_nowait_batch(steps.qsize()):
                on_step(*step)
            for task in done:
                run = running.pop(task)
                try:
                    yield Outcome(run, record=ray.get(task), lost_workers=lost[run])
                except RayTaskError as error:
                    yield Outcome.failed(run, error.cause, lost[run])
                except RayError as error:
                    lost[run] += 1
                    if lost[run] <= RETRIES:
                        waiting.appendleft(run)
                    else:
                        reason = f"its process or machine was lost each time: {failure(error)}"
                        yield Outcome(run, error=reason, lost_workers=lost[run])

    def _start(self) -> None:
        ray.init(
            "local",
            num_cpus=self._workers or cores(),
            include_dashboard=False,
            object_store_memory=_OBJECT_STORE,
            **_QUIET,
        )

    def _connect(self, address: str) -> None:
        try:
            ray.init(address, **_QUIET)
        except (OSError, RuntimeError, ValueError, RayError) as error:
            raise ValueError(
                f"`address` (={address!r}) must be of a running Ray cluster that this machine is a"
                f" node of: {error}"
            ) from error


def _check_listens(address: str) -> None:
    """Check that a cluster listens; otherwise Ray would try for minutes and then exit."""
    form = re.fullmatch(r"(?P<host>[^:/\s]+|\[[^\]]+\]):(?P<port>\d+)", address)
    if form is None:
        raise ValueError(f"`address` (={address!r}) must be 'auto' or HOST:PORT")
    try:
        socket.create_connection((form["host"].strip("[]"), int(form["port"])), timeout=10).close()
    except (OSError, OverflowError) as error:
        raise ValueError(f"`address` (={address!r}) must be of a Ray cluster: {error}") from error


def _work(run: str, job: Job, dysample: str, steps: Queue) -> Record:
    """Do a job, in a worker of Ray."""
    if version("dysample") != dysample:
        raise ValueError(
            f"dysample on node {socket.gethostname()} (={version('dysample')}) must be {dysample},"
            " as where the comparison was started"
        )
    import torch

    torch.set_num_threads(1)
    return job(telling(run, steps.put))
