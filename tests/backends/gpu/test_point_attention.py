"""`point_attention` with the samples of Triton's kernels, interpreted."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

import dysample
from dysample import ops
from support import interpreter
from support.tolerances import ATOL
from support.triton_kernels import in_order, launched, needs_triton, run

pytestmark = needs_triton
each_layout = pytest.mark.parametrize("last", [False, True], ids=["NCHW", "channels_last"])


def attention(x: Tensor, query: Tensor, key: Tensor, field: Tensor) -> Tensor:
    return ops.point_attention(x, query, key, field, 2, 1)[0]


def build(last: bool = False, out: tuple[int, int] = (4, 6)) -> tuple[list[Tensor], Tensor]:
    x, query, key = (
        torch.randn(1, 2, *size, dtype=torch.float64) for size in ((2, 3), out, (2, 3))
    )
    field = torch.randn(1, 2 * 2 * 4, 2, 3, dtype=torch.float64).mul(2).round() / 2 + 0.2
    tensors = [x, query, key, field]
    if last:
        tensors = [t.contiguous(memory_format=torch.channels_last) for t in tensors]
    return tensors, torch.randn(1, 2, *out, dtype=torch.float64)


@each_layout
@pytest.mark.parametrize("out", [(4, 6), (3, 5)], ids=str)
def test_equals_plain_torch(last: bool, out: tuple[int, int]) -> None:
    tensors, high = build(last, out)
    with launched() as names:
        found = run(attention, tensors, high, "triton")
    assert {"sample", "slopes"} <= set(names)
    for ours, exact in zip(found, run(attention, tensors, high, "eager")):
        torch.testing.assert_close(ours, exact, rtol=1e-11, atol=1e-11)


def test_what_is_near_is_gathered_in_one_order_anyway() -> None:
    tensors, high = build()
    tensors = [t.float() for t in tensors[:3]] + [tensors[3].float().clamp(-0.9, 0.9)]
    before = interpreter.counts["atomics"]
    first, second = (run(attention, tensors, high, "triton") for _ in range(2))
    assert interpreter.counts["atomics"] == before
    assert all(map(torch.equal, first, second))


def test_sums_in_one_order_are_the_same() -> None:
    tensors, high = build()
    with in_order(), launched() as names:
        first, second = (run(attention, tensors, high, "triton") for _ in range(2))
    assert "collect" in names
    assert "scatter" not in names
    assert all(map(torch.equal, first, second))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_dtypes(dtype: torch.dtype) -> None:
    tensors, high = build()
    tensors = [t.to(dtype) for t in tensors]
    exact = run(attention, [t.double() for t in tensors], high.to(dtype).double(), "eager")
    for ours, expected in zip(run(attention, tensors, high.to(dtype), "triton"), exact):
        assert ours.dtype == dtype
        scale = max(1.0, float(expected.abs().max()))
        atol = 4 * ATOL["triton"][dtype] * scale
        torch.testing.assert_close(ours.double(), expected, rtol=0, atol=atol)


def test_no_offset_reads_outside_the_map() -> None:
    (x, query, key, field), _ = build()
    field.view(-1)[:6] = torch.tensor([float("nan"), 1e30, -1e30, float("inf"), -float("inf"), 9.0])
    with dysample.backend("triton"):
        found = attention(x, query, key, field)
    torch.testing.assert_close(found, attention(x, query, key, field), rtol=1e-11, atol=1e-11)
