"""`reassemble` and `affinity` on Triton's kernels, interpreted: values, gradients, any tile."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

import dysample
from dysample import ops
from support.tolerances import ATOL
from support.triton_kernels import launched, needs_triton, run, small_tiles

pytestmark = needs_triton
__all__ = ["small_tiles"]
# C, G, (H, W), s, (Y, X), k, softmax
SHAPES = [
    (4, 2, (2, 3), 2, (4, 6), 3, True),  # scale 2: pairs of output pixels
    (3, 3, (2, 3), 3, (6, 9), 3, False),  # scale 3, a group a channel
    (2, 1, (4, 3), 2, (7, 5), 3, True),  # fractional, fewer than the sub-pixels
    (2, 2, (3, 2), 1, (8, 7), 3, True),  # output pixels that share a weight
    (2, 1, (5, 4), 1, (3, 2), 5, False),  # smaller than the input; the window beyond the map
    (2, 1, (1, 1), 4, (4, 4), 1, False),  # one tap, many places
    (1, 1, (2, 2), 1, (2, 4), 7, True),  # taps in several turns; one axis scaled
]
each_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)
each_layout = pytest.mark.parametrize("last", [False, True], ids=["NCHW", "channels_last"])
Built = tuple[Callable[..., Tensor], list[Tensor], Tensor]


def features(*shape: int, last: bool, dtype: torch.dtype) -> Tensor:
    value = torch.randn(*shape, dtype=torch.float64).to(dtype)
    return value.contiguous(memory_format=torch.channels_last) if last else value


def reassemble(shape: tuple, last: bool = False, dtype: torch.dtype = torch.float64) -> Built:
    """A call, its tensors and the gradient of its result."""
    C, G, size, scale, out, k, softmax = shape
    x = features(1, C, *size, last=last, dtype=dtype)
    field = torch.randn(1, G * k**2 * scale**2, *size, dtype=torch.float64).to(dtype)
    high = torch.randn(1, C, *out, dtype=torch.float64).to(dtype)
    return (
        lambda x, field: ops.reassemble(x, field, k, scale, out, softmax),
        [x, field if softmax else field / k],
        high,
    )


def affinity(shape: tuple, last: bool = False, dtype: torch.dtype = torch.float64) -> Built:
    C, G, size, _, out, k, _ = shape
    query, key = (features(1, C, *s, last=last, dtype=dtype) for s in (out, size))
    high = torch.randn(1, G * k**2, *out, dtype=torch.float64)
    return lambda query, key: ops.affinity(query, key, k, G), [query, key], high


each_primitive = pytest.mark.parametrize("build", [reassemble, affinity], ids=lambda b: b.__name__)


def assert_same(found: tuple[Tensor, ...], expected: tuple[Tensor, ...]) -> None:
    for ours, exact in zip(found, expected):
        torch.testing.assert_close(ours, exact, rtol=1e-12, atol=1e-12)


@each_layout
@each_shape
@each_primitive
def test_equals_plain_torch(build, shape: tuple, last: bool, small_tiles: None) -> None:
    function, tensors, high = build(shape, last)
    found = run(function, tensors, high, "triton")
    assert_same(found, run(function, tensors, high, "eager"))
    if build is reassemble and shape[0] > 1 and shape[2] != (1, 1):
        assert found[0].is_contiguous(memory_format=torch.channels_last) is last


@each_primitive
def test_gradients_are_the_same_in_any_order_of_programs(build, small_tiles: None) -> None:
    function, tensors, high = build(SHAPES[0], dtype=torch.float32)
    first, second = (run(function, tensors, high, "triton") for _ in range(2))
    assert all(map(torch.equal, first, second))


@each_layout
@each_primitive
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
def test_dtypes(build, dtype: torch.dtype, last: bool) -> None:
    function, tensors, high = build(SHAPES[2], last, dtype)
    found = run(function, tensors, high, "triton")
    exact = run(function, [t.double() for t in tensors], high.double(), "eager")
    of_result = torch.float32 if build is affinity else dtype
    for ours, expected, wanted in zip(found, exact, (of_result, dtype, dtype)):
        assert ours.dtype == wanted
        scale = max(1.0, float(expected.abs().max()))
        torch.testing.assert_close(
            ours.double(), expected, rtol=0, atol=ATOL["triton"][wanted] * scale
        )


@pytest.mark.parametrize("kind", ["channels_last", "transposed", "expanded"])
def test_weights_of_any_strides_and_another_dtype(kind: str) -> None:
    function, (x, field), high = reassemble(SHAPES[0])
    field = field.float()
    if kind == "channels_last":
        field = field.contiguous(memory_format=torch.channels_last)
    elif kind == "transposed":
        field = field.mT.contiguous().mT
    else:
        field = field[..., :1].expand(field.shape)
    found = run(function, [x.half(), field], high, "triton")
    assert (found[1].dtype, found[2].dtype) == (torch.float16, torch.float32)
    expected = run(function, [x.half().double(), field.double()], high.half().double(), "eager")
    for ours, exact in zip(found, expected):
        torch.testing.assert_close(ours.double(), exact, rtol=0, atol=4e-3)


def test_a_query_and_keys_of_different_dtypes_and_formats() -> None:
    function, (query, key), high = affinity(SHAPES[0])
    key = key.half().contiguous(memory_format=torch.channels_last)
    found = run(function, [query.float(), key], high, "triton")
    expected = run(function, [query.float().double(), key.double()], high, "eager")
    assert [t.dtype for t in found] == [torch.float32, torch.float32, torch.float16]
    for ours, exact in zip(found, expected):
        torch.testing.assert_close(ours.double(), exact, rtol=0, atol=4e-3)


def test_logits_that_exclude_a_tap() -> None:
    function, (x, field), high = reassemble(SHAPES[0])
    field.view(-1)[::7] = -float("inf")
    found = run(function, [x, field], high, "triton")
    assert_same(found, run(function, [x, field], high, "eager"))
    assert all(value.isfinite().all() for value in found)


def test_wide_indices(monkeypatch: pytest.MonkeyPatch, small_tiles: None) -> None:
    from dysample.backends.gpu import launch

    monkeypatch.setattr(launch, "_WIDE", 0)
    for build in (reassemble, affinity):
        for last in (False, True):
            function, tensors, high = build(SHAPES[2], last)
            expected = run(function, tensors, high, "eager")
            assert_same(run(function, tensors, high, "triton"), expected)


WANTED = [
    (reassemble, (True, False), ["by_low"]),
    (reassemble, (False, True), ["by_tap"]),
    (affinity, (True, False), ["by_high"]),
    (affinity, (False, True), ["by_low"]),
]


@pytest.mark.parametrize(("build", "wanted", "kernels"), WANTED)
def test_gradients_that_nobody_needs_are_not_computed(build, wanted, kernels) -> None:
    function, tensors, high = build(SHAPES[0])
    expected = run(function, tensors, high, "eager")[1:]
    leaves = [t.requires_grad_(want) for t, want in zip(tensors, wanted)]
    with dysample.backend("triton"):
        out = function(*leaves)
        with launched() as names:
            out.backward(high)
    assert names == kernels
    for leaf, exact, want in zip(leaves, expected, wanted):
        assert (leaf.grad is not None) is want
        if want:
            torch.testing.assert_close(leaf.grad, exact, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("rows", "columns", "most", "expected"),
    [
        (2, 2, 4, (2, 2)),
        (3, 3, 4, (1, 3)),
        (4, 4, 4, (1, 4)),
        (16, 16, 13, (1, 12)),  # an even part of them
        (1, 1, 16, (1, 1)),
        (8, 2, 16, (8, 2)),
        (3, 3, 1, (1, 1)),
    ],
)
def test_places_of_a_home_pixel(rows: int, columns: int, most: int, expected) -> None:
    from dysample.backends.gpu.tiles import places_of

    assert places_of(rows, columns, most) == expected


def test_empty_batches_launch_nothing() -> None:
    x, field = torch.zeros(0, 4, 2, 3, requires_grad=True), torch.zeros(0, 9, 4, 6)
    query = torch.zeros(0, 4, 4, 6, requires_grad=True)
    with dysample.backend("triton"), launched() as names:
        ops.reassemble(x, field.requires_grad_(), 3, 1, (4, 6), True).sum().backward()
        ops.affinity(query, x, 3, 2).sum().backward()
    assert names == []
    assert [t.grad.shape for t in (x, field, query)] == [x.shape, field.shape, query.shape]


@each_primitive
def test_float32_is_as_exact_as_plain_torch(build) -> None:
    squares = {"triton": torch.zeros(3), "eager": torch.zeros(3)}
    for trial in range(3):
        size = 3 + trial, 6 - trial
        shape = (6, 2, size, 2, (2 * size[0], 2 * size[1] - trial % 2), 3, True)
        function, tensors, high = build(shape)
        tensors = [t.float() for t in tensors]
        exact = run(function, [t.double() for t in tensors], high.float().double(), "eager")
        for name in squares:
            for place, (value, true) in enumerate(zip(run(function, tensors, high, name), exact)):
                squares[name][place] += ((value - true) / true.abs().max()).square().mean()
    # numpy, which interprets, has no fused multiply-add, which saves plain torch a rounding a term.
    assert (squares["triton"].sqrt() <= 1.3 * squares["eager"].sqrt()).all(), squares
