"""The kernels on any number of threads, called by several of Python's, in workers and children."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

import dysample
from dysample.backends.cpu import library
from support import forks
from support.kernel_calls import results, same
from support.operators import needs_kernels

pytestmark = needs_kernels


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


@pytest.mark.parametrize("name", forks.CASES)
def test_forked_processes_call(name: str) -> None:
    """Each case in an interpreter of its own: where fake tensors came before the first backward
    pass (an export will do), torch starts autograd threads and refuses backward passes in forks."""
    tests = Path(forks.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", forks.__file__, name],
        env=os.environ | {"PYTHONPATH": str(tests)},
        capture_output=True,
        text=True,
        timeout=4 * forks.PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
