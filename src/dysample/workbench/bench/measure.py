"""Check a workload's rows, time them in turn, and measure their memory."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from dysample.backends.cpu import library
from dysample.info import processor
from dysample.ops import Choice
from dysample.workbench.bench.cases import BOTH, Case, Entry, Workload, prepare, read_and_write
from dysample.workbench.bench.check import check, reference_of
from dysample.workbench.costs.count import allocated_peak

FLOOR = "memory floor"
"""The row that only reads and writes as many bytes as the first row."""

SHORTEST = 2e-3
"""Shortest measurement in seconds: shorter calls are repeated, so that clocks and caches settle."""


def measure(workload: Workload, rounds: int, malloc: str) -> list[dict[str, Any]]:
    """Measure every entry of a workload, and its memory floor; results are plain data for JSON.

    Milliseconds are medians; `ratio` is the median over the rounds of the row's time over the
    first row's, `to_floor` of its time over the floor's. `target` is the ratio that we aim at.
    Memory is in bytes beyond inputs and parameters, `error` the largest difference to float64.

    Args:
        workload: the input and its rows.
        rounds: counted rounds.
        malloc: name of the regime that this process runs in.

    Raises:
        RuntimeError: if a row is wrong.
    """
    first = workload.entries[0]
    with one_core():
        found = _check_all(workload)
        results = _timed(workload, first)()
        case = prepare(workload, first)
        read, written = _traffic(case, workload.passes, results)
        elements = (results[0] if case.cotangent is None else case.cotangent).numel()
        del results, case
        calls: dict[str, Callable[[], object]] = {
            entry.name: _timed(workload, entry) for entry in workload.entries
        }
        calls[FLOOR] = read_and_write(read, written)
        times = time_in_turn(calls, rounds)
        del calls
    common = {
        "suite": workload.suite,
        "workload": workload.name,
        "shape": list(workload.shape),
        "dtype": workload.dtype,
        "channels_last": workload.channels_last,
        "passes": workload.passes,
        "first": first.name,
        "read_bytes": read,
        "written_bytes": written,
        "rounds": rounds,
        "malloc": malloc,
        "threads": 1,
        "cpu": processor(),
        "isa": library.isa or None,
        "torch": torch.__version__,
        "dysample": version("dysample"),
    }
    rows = []
    for name, taken in times.items():
        row = {
            **common,
            "row": name,
            "milliseconds": 1e3 * statistics.median(taken),
            "ratio": median_ratio(taken, times[first.name]),
            "target": workload.targets.get(name),
            "to_floor": median_ratio(taken, times[FLOOR]),
            "nanoseconds_an_element": 1e9 * statistics.median(taken) / elements,
        }
        if name in found:
            row.update(found[name])
        rows.append(row)
    for entry, row in zip(workload.entries, rows):
        peak = peak_of(workload, entry)
        row.update(resident_bytes=peak.resident, allocated_bytes=peak.allocated)
    return rows


def _check_all(workload: Workload) -> dict[str, dict[str, Any]]:
    first = workload.entries[0]
    shared = reference_of(workload, first)
    found = {}
    for entry in workload.entries:
        reference = shared if entry.twin or entry is first else reference_of(workload, entry)
        error, choices = check(workload, entry, reference)
        found[entry.name] = {"error": error, "backend": _backend(choices)}
    return found


def _backend(choices: Iterable[Choice]) -> str:
    """Return what ran the primitives: `cpu` with its instruction set, or `eager`; else `torch`."""
    ran = sorted({choice.backend for choice in choices}) or ["torch"]
    return " and ".join(f"cpu {library.isa}" if name == "cpu" else name for name in ran)


def _timed(workload: Workload, entry: Entry) -> Callable[[], tuple[Tensor, ...]]:
    with entry.running():  # a backward pass alone goes through its forward pass here
        call = prepare(workload, entry).call(workload.passes)
    if entry.backend == "auto":
        return call

    def within() -> tuple[Tensor, ...]:
        with entry.running():
            return call()

    return within


def _traffic(case: Case, passes: str, results: Iterable[Tensor]) -> tuple[int, int]:
    """Return the fewest bytes that the passes can read and write: everything once per pass."""
    inputs = list(case.inputs)
    if isinstance(case.function, nn.Module):
        inputs += case.function.parameters()
    read = _bytes(inputs) * (2 if passes == BOTH else 1)
    if case.cotangent is not None:
        read += _bytes([case.cotangent])
    return read, _bytes(results)


def _bytes(tensors: Iterable[Tensor]) -> int:
    return sum(value.numel() * value.element_size() for value in tensors)


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
    """Use one thread and, if the system allows it, pin the process to one core."""
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


class Peak(NamedTuple):
    """Peak memory in bytes, without inputs and parameters, results included.

    Attributes:
        resident: growth of the process; None if the system does not report it.
        allocated: what torch's allocator gave out, which neither sees the kernels' scratch nor
            that of the convolution library.
    """

    resident: int | None
    allocated: int


def peak_of(workload: Workload, entry: Entry) -> Peak:
    """Peak memory of one call of an entry, in a fresh process on one thread."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(_peak, workload, entry).result()


def _peak(workload: Workload, entry: Entry) -> Peak:
    torch.set_num_threads(1)
    C, H, W = workload.shape[1:]
    small = replace(workload, shape=(1, C, min(H, 16), min(W, 16)))
    with entry.running():
        # Code that is loaded at the first call is no part of what a call needs.
        prepare(small, entry).call(workload.passes)()
        call = prepare(workload, entry).call(workload.passes)
        return Peak(_growth(call), allocated_peak(call))


def _growth(call: Callable[[], object]) -> int | None:
    status = Path("/proc/self/status")
    if not status.exists():
        return None
    # Pages that were freed but kept would be used again without growth.
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from here

    def kilobytes(name: str) -> int:
        line = next(line for line in status.read_text().splitlines() if line.startswith(name))
        return int(line.split()[1])

    before = kilobytes("VmRSS")
    call()
    return 1024 * (kilobytes("VmHWM") - before)
