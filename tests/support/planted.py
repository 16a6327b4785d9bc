"""Kernels for two programs of four elements, all but one with an error that tests must find."""

import triton
import triton.language as tl


@triton.jit
def copy(x, out):
    at = tl.program_id(0) * 4 + tl.arange(0, 4)
    tl.store(out + at, tl.load(x + at))


@triton.jit
def reads_beyond(x, out):
    at = tl.program_id(0) * 4 + tl.arange(0, 4)
    tl.store(out + at, tl.load(x + at), mask=at < 7)


@triton.jit
def writes_before(x, out):
    at = tl.program_id(0) * 4 + tl.arange(0, 4)
    tl.store(out + at - 1, tl.load(x + at, mask=at < 7, other=0))


@triton.jit
def writes_twice(x, out):
    at = tl.program_id(0) * 3 + tl.arange(0, 4)
    tl.store(out + at, tl.load(x + at))


@triton.jit
def adds_beyond(x, out):
    at = tl.program_id(0) * 4 + tl.arange(0, 4)
    tl.atomic_add(out + at, tl.load(x + at, mask=at < 7, other=0))


@triton.jit
def shifts(x):
    at = tl.program_id(0) * 4 + tl.arange(0, 4)
    tl.store(x + at, tl.load(x + at + 1, mask=at < 7, other=0))
