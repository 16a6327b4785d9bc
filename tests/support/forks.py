"""Calls of the kernels in forked processes: `python forks.py CASE` ends with 0 where they work.

Python warns of forks in a process with threads (-W ignore): that they work is what is tried here.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable

import torch
from torch.utils.data import DataLoader, Dataset

from dysample.backends.cpu import library
from support.kernel_calls import results, same

PATIENCE = 30  # seconds that tell a hang from a slow machine


class Samples(Dataset):
    def __len__(self) -> int:
        return 4

    def __getitem__(self, place: int) -> list[torch.Tensor]:
        return results()


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


def workers_of_a_data_loader() -> None:
    torch.set_num_threads(2)
    expected = results()
    loader = DataLoader(Samples(), batch_size=None, num_workers=2, timeout=PATIENCE)
    assert [same(sample, expected) for sample in loader] == [True] * 4


def child_after_a_call_on_several_threads() -> None:
    torch.set_num_threads(3)
    expected = results()
    assert exit_code_of_a_fork(lambda: same(results(), expected)) == 0
    assert same(results(), expected)  # and the parent goes on


def child_of_a_child() -> None:
    torch.set_num_threads(3)
    expected = results()

    def run() -> bool:
        return (
            same(results(), expected)
            and exit_code_of_a_fork(lambda: same(results(), expected)) == 0
        )

    assert exit_code_of_a_fork(run) == 0


def process_of_multiprocessing() -> None:
    torch.set_num_threads(3)
    expected = results()
    context = multiprocessing.get_context("fork")
    child = context.Process(target=lambda: sys.exit(0 if same(results(), expected) else 1))
    child.start()
    child.join(PATIENCE)
    if child.is_alive():
        child.kill()
    assert child.exitcode == 0


def first_call() -> None:
    torch.set_num_threads(2)
    torch.randn(1 << 20).exp()  # torch's threads are there, no kernel has been called

    def run() -> bool:
        ours = results()
        torch.set_num_threads(1)
        return same(results(), ours)

    assert exit_code_of_a_fork(run) == 0


CASES = {
    case.__name__: case
    for case in (
        workers_of_a_data_loader,
        child_after_a_call_on_several_threads,
        child_of_a_child,
        process_of_multiprocessing,
        first_call,
    )
}

if __name__ == "__main__":
    library.WORTH_A_THREAD = 1  # so that small calls use several threads too
    CASES[sys.argv[1]]()
