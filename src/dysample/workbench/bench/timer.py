"""Time calls against each other: in turn, in one process, on one thread and core."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch

SHORTEST = 2e-3
"""Seconds that a measurement lasts at least, by repeating the call: clocks and caches settle."""


def time_in_turn(calls: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Return the seconds per call, for each name and round.

    Machines drift by tens of per cent within a minute. So the calls take turns, every round runs
    each of them, and only times of the same round are to be compared.

    Args:
        calls: what is timed.
        rounds: counted rounds, after two that are not.
    """
    for call in calls.values():
        call()
    repeats = {name: max(1, round(SHORTEST / _seconds(call, 1))) for name, call in calls.items()}
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            times[name].append(_seconds(call, repeats[name]))
    return times


def median_ratio(times: list[float], others: list[float]) -> float:
    """Return the median over the rounds of the ratio within a round."""
    return statistics.median(a / b for a, b in zip(times, others))


def _seconds(call: Callable[[], object], repeats: int) -> float:
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - start) / repeats


@contextmanager
def one_core() -> Iterator[None]:
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
