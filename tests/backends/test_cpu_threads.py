"""The kernels on any number of threads, called by several of Python's, in workers and children."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

import dysample
from dysample.backends.cpu import library
from kernel_calls import results, same
from operators import needs_kernels

# Python warns of forks in a process with threads: that they work is what is tested here.
pytestmark = [
    needs_kernels,
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of fork"),
]
PATIENCE = 30  # seconds that tell a hang from a slow machine


@pytest.fixture(autouse=True)
def _restored_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(library, "WORTH_A_THREAD", 1)  # so that small calls use them too
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("last", [False, True], ids=["NCHW", "channels_last"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
def test_bits_do_not_depend_on_the_threads_or_the_run(dtype: torch.dtype, last: bool) -> None:
    torch.set_num_threads(1)
    expected = results(dtype, last, C=68)
    for threads in (1, 2, 3, 7, 7):
        torch.set_num_threads(threads)
        assert same(results(dtype, last, C=68), expected), threads


def test_several_python_threads_call_at_once() -> None:
    torch.set_num_threads(1)
    expected = [results(last=last) for last in (False, True)]

    def run(turn: int) -> bool:
        torch.set_num_threads(2)  # a pool for each of Python's threads
        return same(results(last=turn % 2 == 1), expected[turn % 2])

    # Set once around all: the backend is the process's, and threads that set it take turns badly.
    with dysample.backend("cpu"), ThreadPoolExecutor(4) as pool:
        assert all(pool.map(run, range(24)))


class Samples(Dataset):
    def __len__(self) -> int:
        return 4

    def __getitem__(self, place: int) -> list[torch.Tensor]:
        return results()


def test_data_loaders_workers_call() -> None:
    torch.set_num_threads(2)
    expected = results()
    loader = DataLoader(Samples(), batch_size=None, num_workers=2, timeout=PATIENCE)
    assert [same(sample, expected) for sample in loader] == [True] * 4


def exit_code_of_a_fork(run: Callable[[], bool]) -> int | None:
    """0 if `run` holds in a forked child, 1 if not, None if it hangs."""
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if run() else 1)
        finally:
            os._exit(2)
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def test_a_forked_child_calls_after_a_call_on_several_threads() -> None:
    torch.set_num_threads(3)
    expected = results()
    assert exit_code_of_a_fork(lambda: same(results(), expected)) == 0
    assert same(results(), expected)  # and the parent goes on


def test_a_forked_child_of_a_forked_child_calls() -> None:
    torch.set_num_threads(3)
    expected = results()

    def run() -> bool:
        return (
            same(results(), expected)
            and exit_code_of_a_fork(lambda: same(results(), expected)) == 0
        )

    assert exit_code_of_a_fork(run) == 0


def test_a_process_of_multiprocessing_calls() -> None:
    torch.set_num_threads(3)
    expected = results()
    context = multiprocessing.get_context("fork")
    child = context.Process(target=lambda: sys.exit(0 if same(results(), expected) else 1))
    child.start()
    child.join(PATIENCE)
    if child.is_alive():
        child.kill()
    assert child.exitcode == 0


FIRST_CALL = """
import sys, torch
from test_cpu_threads import exit_code_of_a_fork
from kernel_calls import results, same
from dysample.backends.cpu import library
library.WORTH_A_THREAD = 1
torch.set_num_threads(2)
torch.randn(1 << 20).exp()  # torch's threads are there, no kernel has been called
def run():
    ours = results()
    torch.set_num_threads(1)
    return same(results(), ours)
code = exit_code_of_a_fork(run)
sys.exit("it hangs" if code is None else code)
"""


def test_the_first_call_may_be_a_forked_childs() -> None:
    tests = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FIRST_CALL],
        env=os.environ | {"PYTHONPATH": os.pathsep.join((str(tests), str(tests.parent)))},
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
