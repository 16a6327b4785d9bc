import json
import os
from dataclasses import replace

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from dysample.workbench.bench.cases import BACKWARD, BOTH, FORWARD, read_and_write
from dysample.workbench.bench.measure import (
    FLOOR,
    SHORTEST,
    Peak,
    _growth,
    measure,
    median_ratio,
    one_core,
    peak_of,
    time_in_turn,
)
from dysample.workbench.bench.workloads import WORKLOADS

TINY = replace(WORKLOADS[0], shape=(1, 8, 6, 5))


@pytest.fixture
def _no_processes(monkeypatch) -> None:
    monkeypatch.setattr("dysample.workbench.bench.measure.peak_of", lambda *_: Peak(7, 5))


@pytest.mark.usefixtures("_no_processes")
@pytest.mark.parametrize("passes", [FORWARD, BACKWARD, BOTH])
def test_a_row_an_entry_and_the_floor(passes) -> None:
    rows = measure(replace(TINY, passes=passes), rounds=2, malloc="default")
    names = ["dysample", "published", "eager", "bilinear", "nearest"]
    assert [row["row"] for row in rows] == [*names, FLOOR]
    assert rows[0]["ratio"] == rows[-1]["to_floor"] == 1
    assert [row["target"] for row in rows] == [None, 4.5, None, 3, None, None]
    assert [row.get("resident_bytes") for row in rows] == [7] * 5 + [None]
    assert all(row["milliseconds"] > 0 and row["malloc"] == "default" for row in rows)
    assert all(row["error"] < 1e-5 for row in rows[:-1])
    assert [row["backend"] for row in rows[1:5]] == ["torch", "eager", "torch", "torch"]
    assert rows[0]["cpu"]
    assert rows[1]["to_floor"] > 1 > rows[-1]["ratio"]
    json.dumps(rows, allow_nan=False)
    x, out, parameters = 4 * 8 * 30, 4 * 8 * 120, 4 * (32 * 8 + 32)
    read = {FORWARD: x + parameters, BACKWARD: x + parameters + out}
    read[BOTH] = read[FORWARD] + read[BACKWARD]
    written = {FORWARD: out, BACKWARD: x + parameters}
    written[BOTH] = written[FORWARD] + written[BACKWARD]
    assert (rows[0]["read_bytes"], rows[0]["written_bytes"]) == (read[passes], written[passes])
    # The time an element is that of an element of the output, whatever the passes.
    of_one = 1e6 * rows[0]["milliseconds"] / (8 * 120)
    assert rows[0]["nanoseconds_an_element"] == pytest.approx(of_one)


class Traffic(TorchDispatchMode):
    """Bytes that copies, fills and sums read and write."""

    def __init__(self) -> None:
        super().__init__()
        self.read = self.written = 0

    def __torch_dispatch__(self, operator, types, arguments=(), options=None):
        name = operator.overloadpacket.__name__
        if name in ("copy_", "fill_"):
            self.written += arguments[0].nbytes
        if name in ("copy_", "sum"):
            self.read += arguments[-1 if name == "copy_" else 0].nbytes
        return operator(*arguments, **(options or {}))


@pytest.mark.parametrize(("read", "written"), [(4000, 16000), (16000, 4000), (4000, 4000)])
def test_the_floor_moves_what_it_is_told(read, written) -> None:
    move = read_and_write(read, written)
    with Traffic() as traffic:
        move()
    assert (traffic.read, traffic.written) == (read, written)


def test_earlier_peaks_are_forgotten() -> None:
    torch.ones(2**26)  # 256 MiB
    # 64 MiB: glibc may serve up to 32 MiB from memory that earlier tests left resident.
    # Linux counts the pages of a process in lots of 64.
    assert 63.5 * 2**20 < _growth(lambda: torch.ones(2**24)) < 76 * 2**20


def test_peak_memory_of_what_needs_its_result_alone() -> None:
    big = replace(TINY, shape=(1, 64, 128, 128))
    resident, allocated = peak_of(big, next(e for e in big.entries if e.name == "nearest"))
    out = 4 * 64 * 256 * 256
    assert out <= allocated < out + 2**16  # torch's tables of indices
    assert out - 2**19 < resident < out + 4 * 2**20


def test_peak_memory_sees_what_lies_between() -> None:
    carafe = next(workload for workload in WORKLOADS if workload.name == "carafe")
    big = replace(carafe, shape=(1, 32, 96, 96))
    resident, allocated = peak_of(big, next(e for e in big.entries if e.name == "eager"))
    out, weights = 4 * 32 * 192 * 192, 4 * 25 * 192 * 192
    assert allocated > out + weights
    assert resident > out + weights


@pytest.fixture
def lasting(monkeypatch):
    """Makes calls that last so many seconds of a clock that nothing else moves."""
    now = 0.0
    monkeypatch.setattr("time.perf_counter", lambda: now)

    def make(seconds, note=lambda: None):
        def call() -> None:
            nonlocal now
            now += seconds
            note()

        return call

    return make


def test_calls_take_turns(lasting) -> None:
    order: list[str] = []
    calls = {
        "a": lasting(1.0, lambda: order.append("a")),
        "b": lasting(3.0, lambda: order.append("b")),
    }
    times = time_in_turn(calls, rounds=3)
    assert order[-6:] == ["a", "b"] * 3
    assert times == {"a": [1.0] * 3, "b": [3.0] * 3}


def test_short_calls_are_repeated_and_times_are_of_one(lasting) -> None:
    count: list[int] = []
    times = time_in_turn({"short": lasting(SHORTEST / 20, lambda: count.append(1))}, rounds=2)
    assert len(count) == 2 + 2 * 20
    assert times["short"] == pytest.approx([SHORTEST / 20] * 2)


def test_ratios_are_taken_within_a_round() -> None:
    # Twice as long in every round, while the machine's speed changes by 10.
    assert median_ratio([2.0, 20.0, 4.0], [1.0, 10.0, 2.0]) == 2
    assert median_ratio([1.0, 2.0, 9.0], [1.0, 1.0, 1.0]) == 2


def test_one_thread_on_one_core_for_a_while() -> None:
    threads, cores = torch.get_num_threads(), os.sched_getaffinity(0)
    with one_core():
        assert torch.get_num_threads() == 1
        assert os.sched_getaffinity(0) == {min(cores)}
    assert (torch.get_num_threads(), os.sched_getaffinity(0)) == (threads, cores)
