"""Peak memory of one call, measured in a process that has done nothing else."""

from __future__ import annotations

import ctypes
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch

from dysample.workbench.bench.cases import Entry, Workload, prepare
from dysample.workbench.costs import allocated_peak


class Peak(NamedTuple):
    """Bytes beyond the inputs and parameters, results included.

    Attributes:
        resident: growth of the process, None where the system does not tell.
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
