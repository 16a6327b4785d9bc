"""The kernels' scratch memory: what a process keeps of it after a call."""

from __future__ import annotations

import subprocess
import sys

import pytest

from support.operators import needs_kernels

pytestmark = [
    needs_kernels,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]

# Long rows, of which the kernels hold several, a wide window, many channels; forward and backward.
CALLS = """
import ctypes, resource, sys
from pathlib import Path
import torch
from dysample import functional, ops
from dysample.backends.cpu import library

threads, length = int(sys.argv[1]), int(sys.argv[2])
torch.set_num_threads(threads)
library.WORTH_A_THREAD = 1

def ones(*shape, last=False):
    kind = torch.channels_last if last else torch.contiguous_format
    return torch.ones(shape).contiguous(memory_format=kind).requires_grad_()

def point_sample(W, last):
    return functional.point_sample(ones(1, 32, 1, W, last=last), ones(1, 8, 1, W))

def reassemble(W, last):
    return functional.reassemble(ones(1, 32, 1, W, last=last), ones(1, 4, 1, 1, W))

def affinity(W, last):
    x = ones(1, 32, 1, W, last=last)
    return functional.affinity(x, x, 3, groups=4)

def point_attention(W, last):
    x = ones(1, 32, 1, W, last=last)
    return functional.point_attention(x, x, x, ones(1, 8, 1, W), groups=4)

def wide_window(W, last):
    k = 101 if W > 64 else 3
    x, logits = ones(1, 4, 2, 70, last=last), ones(1, 1, k * k, 2, 70)
    return functional.reassemble(x, logits, softmax=True)

def many_channels(C, last):
    x, weight = ones(1, C, 1, 8, last=last), ones(8, C, 1, 1)
    return ops.offset_field(x, weight, None, weight, None, 0.25)

calls = (point_sample, reassemble, affinity, point_attention, wide_window, many_channels)

def resident():
    ctypes.CDLL(None).malloc_trim(0)  # what torch's own allocations left
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20

for call in calls:  # whatever is loaded at a first call
    for last in (False, True):
        call(64, last).sum().backward()
before = resident()
for call in calls:
    for last in (False, True):
        call(length, last).sum().backward()
        print(call.__name__, last, round(resident() - before))
"""


@pytest.mark.parametrize("threads", [1, 3])
def test_a_thread_keeps_little_after_a_call(threads: int) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CALLS, str(threads), str(2**17)],
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
    )
    kept = [float(line.split()[-1]) for line in done.stdout.splitlines()]
    assert len(kept) == 12
    # 8 MiB a thread, and the pages of what else was called for the first time.
    assert max(kept) <= 8 * threads + 16, done.stdout
