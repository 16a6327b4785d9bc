import os

import pytest
import torch

from dysample.workbench.bench.timer import SHORTEST, median_ratio, one_core, time_in_turn


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
