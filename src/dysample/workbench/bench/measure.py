"""Check a workload's rows, time them in turn, and measure their memory."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable
from importlib.metadata import version
from typing import Any

import torch
from torch import Tensor, nn

from dysample.backends.cpu import library
from dysample.info import processor
from dysample.ops import Choice
from dysample.workbench.bench.cases import BOTH, Case, Entry, Workload, prepare, read_and_write
from dysample.workbench.bench.check import check, reference_of
from dysample.workbench.bench.memory import peak_of
from dysample.workbench.bench.timer import median_ratio, one_core, time_in_turn

FLOOR = "memory floor"
"""The row that only reads what the first row reads and writes what it writes."""


def measure(workload: Workload, rounds: int, malloc: str) -> list[dict[str, Any]]:
    """One result an entry of a workload, and one of its memory floor: plain data for JSON.

    Milliseconds are medians; `ratio` is the median over the rounds of the row's time over the
    first row's, `to_floor` of its time over the floor's. `target` is the least ratio aimed at.
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
        **_machine(),
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
    """Bytes that the passes read and write at least, everything once a pass."""
    inputs = list(case.inputs)
    if isinstance(case.function, nn.Module):
        inputs += case.function.parameters()
    read = _bytes(inputs) * (2 if passes == BOTH else 1)
    if case.cotangent is not None:
        read += _bytes([case.cotangent])
    return read, _bytes(results)


def _bytes(tensors: Iterable[Tensor]) -> int:
    return sum(value.numel() * value.element_size() for value in tensors)


def _machine() -> dict[str, Any]:
    return {
        "threads": 1,
        "cpu": processor(),
        "isa": library.isa or None,
        "torch": torch.__version__,
        "dysample": version("dysample"),
    }
