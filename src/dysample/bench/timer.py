"""Times entries against each other: one process, one thread, one core, in turn."""

import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from dysample.bench.entries import BASELINE, Entry, Workload
from dysample.registry import create_upsampler


def measure(workload: Workload, entries: Sequence[Entry], rounds: int) -> list[dict[str, Any]]:
    """Median milliseconds of each entry, and its ratio to the baseline of the same round.

    Machines drift by tens of per cent within a minute. So the entries take turns, every round
    runs each of them once, and the ratio is the median of the rounds' ratios.

    Args:
        workload: the input.
        entries: what runs on it; the baseline is among them.
        rounds: counted rounds, after one that is not.

    Returns:
        One result an entry, plain data.
    """
    with _one_core():
        calls = {entry.label: _call(workload, entry) for entry in entries}
        times: dict[str, list[float]] = {label: [] for label in calls}
        for number in range(rounds + 1):
            for label, call in calls.items():
                start = time.perf_counter()
                call()
                if number > 0:
                    times[label].append(1e3 * (time.perf_counter() - start))
    base = times[BASELINE.label]
    return [
        {
            "workload": workload.name,
            "shape": list(workload.shape),
            "dtype": workload.dtype,
            "channels_last": workload.channels_last,
            "backward": workload.backward,
            "entry": label,
            "milliseconds": statistics.median(taken),
            "ratio_to_bilinear": statistics.median(a / b for a, b in zip(taken, base)),
            "rounds": rounds,
            "threads": 1,
            "malloc": os.environ.get("GLIBC_TUNABLES", "default"),
            "torch": torch.__version__,
        }
        for label, taken in times.items()
    ]


def _call(workload: Workload, entry: Entry) -> Callable[[], None]:
    torch.manual_seed(0)
    dtype = getattr(torch, workload.dtype)
    module = create_upsampler(entry.upsampler, workload.shape[1], 2, **entry.options).to(dtype)
    x = torch.randn(workload.shape).to(dtype)
    if workload.channels_last:
        x = x.contiguous(memory_format=torch.channels_last)
        module = module.to(memory_format=torch.channels_last)
    if not workload.backward:

        @torch.no_grad()
        def forward() -> None:
            module(x)

        return forward
    x.requires_grad_()
    cotangent = torch.randn_like(module(x))

    def forward_and_backward() -> None:
        module.zero_grad()
        x.grad = None
        module(x).backward(cotangent)

    return forward_and_backward


@contextmanager
def _one_core() -> Iterator[None]:
    """One thread on one core, where the system lets a process choose."""
    threads = torch.get_num_threads()
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    torch.set_num_threads(1)
    if cores:
        os.sched_setaffinity(0, {min(cores)})
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        if cores:
            os.sched_setaffinity(0, cores)
