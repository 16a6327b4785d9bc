"""`point_sample` on Triton's kernels, interpreted: values, gradients, any offset, any tile."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

import dysample
from dysample import functional, ops
from support import interpreter
from support.operators import needs_kernels
from support.tolerances import ATOL
from support.triton_kernels import in_order, launched, needs_triton, run, small_tiles

pytestmark = needs_triton
__all__ = ["small_tiles"]
Size = tuple[int, int]
# C, G, (H, W), s, (Y, X), how far offsets move, where regular positions start
SHAPES = [
    (6, 2, (2, 3), 2, (4, 6), 0.3, "bilinear"),  # scale 2
    (3, 3, (2, 3), 3, (6, 9), 2.0, "nearest"),  # scale 3, a group a channel
    (4, 1, (4, 3), 2, (7, 5), 1.0, "bilinear"),  # fractional, fewer than the sub-pixels
    (4, 2, (3, 2), 1, (8, 7), 1.0, "bilinear"),  # output pixels that share an offset
    (2, 1, (5, 4), 1, (3, 2), 1.0, "nearest"),  # smaller than the input
    (4, 2, (1, 1), 2, (4, 3), 9.0, "bilinear"),  # a single pixel
    (2, 1, (1, 6), 2, (2, 12), 9.0, "bilinear"),  # a line
]
each_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)
each_layout = pytest.mark.parametrize("last", [False, True], ids=["NCHW", "channels_last"])


def build(
    shape: tuple, last: bool = False, dtype: torch.dtype = torch.float64
) -> tuple[Callable[..., Tensor], list[Tensor], Tensor]:
    """A call, its tensors and the gradient of its result."""
    C, G, size, scale, out, spread, start = shape
    x = torch.randn(1, C, *size, dtype=torch.float64).to(dtype)
    field = spread * torch.randn(1, 2 * G * scale**2, *size, dtype=torch.float64).to(dtype)
    if last:
        x = x.contiguous(memory_format=torch.channels_last)
    high = torch.randn(1, C, *out, dtype=torch.float64).to(dtype)
    return lambda x, field: ops.point_sample(x, field, scale, out, start), [x, field], high


def assert_same(found: tuple[Tensor, ...], expected: tuple[Tensor, ...]) -> None:
    for ours, exact in zip(found, expected):
        torch.testing.assert_close(ours, exact, rtol=1e-12, atol=1e-12, equal_nan=True)


@each_layout
@each_shape
def test_equals_plain_torch(shape: tuple, last: bool, small_tiles: None) -> None:
    function, tensors, high = build(shape, last)
    found = run(function, tensors, high, "triton")
    assert_same(found, run(function, tensors, high, "eager"))
    if shape[0] > 1 and shape[2] != (1, 1):
        assert found[0].is_contiguous(memory_format=torch.channels_last) is last


@needs_kernels
@each_layout
def test_on_pixel_centres_slopes_are_those_of_the_cpu(last: bool, small_tiles: None) -> None:
    """There they jump: on the first row and column they are 0, elsewhere those to the right."""
    function, tensors, high = build((4, 2, (2, 3), 2, (4, 6), 0.0, "nearest"), last)
    found = run(function, tensors, high, "triton")
    assert found[2].count_nonzero() > 0
    assert_same(found, run(function, tensors, high, "cpu"))


@each_shape
def test_sums_in_one_order_are_the_same(shape: tuple, small_tiles: None) -> None:
    function, tensors, high = build(shape)
    with in_order(), launched() as names:
        found = run(function, tensors, high, "triton")
        again = run(function, tensors, high, "triton")  # programs run in another order
    assert "scatter" not in names
    assert all(map(torch.equal, found, again))
    assert_same(found, run(function, tensors, high, "eager"))


def test_what_is_near_is_gathered_in_one_order_anyway(small_tiles: None) -> None:
    function, (x, field), high = build((4, 2, (4, 5), 2, (8, 10), 0.3, "bilinear"))
    tensors = [x.float(), field.float().clamp(-0.7, 0.7)]
    before = interpreter.counts["atomics"]
    first, second = (run(function, tensors, high, "triton") for _ in range(2))
    assert interpreter.counts["atomics"] == before
    assert all(map(torch.equal, first, second))


@each_layout
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
def test_dtypes(dtype: torch.dtype, last: bool) -> None:
    function, tensors, high = build(SHAPES[0], last, dtype)
    found = run(function, tensors, high, "triton")
    exact = run(function, [t.double() for t in tensors], high.double(), "eager")
    for ours, expected in zip(found, exact):
        assert ours.dtype == dtype
        scale = max(1.0, float(expected.abs().max()))
        torch.testing.assert_close(
            ours.double(), expected, rtol=0, atol=ATOL["triton"][dtype] * scale
        )


def test_a_field_of_another_dtype_and_any_strides() -> None:
    function, (x, field), high = build(SHAPES[0])
    field = field.float().transpose(2, 3).contiguous().transpose(2, 3)
    found = run(function, [x.half(), field], high, "triton")
    assert (found[1].dtype, found[2].dtype) == (torch.float16, torch.float32)
    expected = run(function, [x.half().double(), field.double()], high.half().double(), "eager")
    for ours, exact in zip(found, expected):
        torch.testing.assert_close(ours.double(), exact, rtol=0, atol=4e-3)


@pytest.mark.parametrize("way", ["added", "in order"])
@each_layout
def test_no_offset_reads_outside_the_map(last: bool, way: str, small_tiles: None) -> None:
    """The interpreter checks every address: see `support.interpreter`."""
    function, (x, field), high = build((4, 2, (3, 4), 2, (6, 8), 1.0, "bilinear"), last)
    flat = field.view(-1)
    special = [float("nan"), float("inf"), -float("inf"), 1e30, -1e30, 2.0**31, -(2.0**31), 1e-40]
    flat[: 5 * len(special)] = torch.tensor(special, dtype=torch.float64).repeat(5)
    expected = run(function, [x, field], high, "cpu")
    if way == "in order":
        with in_order():
            found = run(function, [x, field], high, "triton")
    else:
        found = run(function, [x, field], high, "triton")
    assert_same(found, expected)
    assert found[0].isfinite().all()


def test_wide_indices(monkeypatch: pytest.MonkeyPatch, small_tiles: None) -> None:
    from dysample.backends.gpu import launch

    monkeypatch.setattr(launch, "_WIDE", 0)
    for last in (False, True):
        function, tensors, high = build(SHAPES[2], last)
        expected = run(function, tensors, high, "eager")
        assert_same(run(function, tensors, high, "triton"), expected)
        with in_order():
            assert_same(run(function, tensors, high, "triton"), expected)


def test_maps_too_large_for_a_table_are_added(monkeypatch: pytest.MonkeyPatch) -> None:
    from dysample.backends.gpu import point_sample

    monkeypatch.setattr(point_sample, "_LARGEST_TABLE", 0)
    function, tensors, high = build(SHAPES[0])
    with launched() as names:
        found = run(function, tensors, high, "triton")
    assert names == ["sample", "slopes", "scatter"]
    assert_same(found, run(function, tensors, high, "eager"))


WANTED = [
    ((True, False), False, ["slopes", "gather", "scatter"]),  # slopes: the table alone
    ((False, True), False, ["slopes"]),
    ((True, False), True, ["scatter"]),
    ((False, True), True, ["slopes"]),
]


@pytest.mark.parametrize(("wanted", "last", "kernels"), WANTED)
def test_gradients_that_nobody_needs_are_not_computed(wanted, last, kernels) -> None:
    function, tensors, high = build(SHAPES[0], last)
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


def test_channels_are_split_where_there_are_few_pixels() -> None:
    from dysample.backends.gpu.tiles import TILES, share_of

    tile = TILES["sample"][False]
    assert share_of(tile, 256, 10_000) == 256
    assert share_of(tile, 256, 256) == 64
    assert share_of(tile, 256, 1) == 16  # but not into less than is worth the positions
    x, offset = torch.randn(1, 64, 2, 3), torch.randn(1, 2, 4, 6)
    with dysample.backend("triton"):
        found = functional.point_sample(x, offset)
    torch.testing.assert_close(found, functional.point_sample(x, offset), rtol=0, atol=2e-6)


def test_an_empty_batch_launches_nothing() -> None:
    x, offset = (torch.zeros(0, c, 2, 3, requires_grad=True) for c in (4, 2))
    with dysample.backend("triton"), launched() as names:
        functional.point_sample(x, offset).sum().backward()
    assert names == []
    assert (x.grad.shape, offset.grad.shape) == (x.shape, offset.shape)


@each_layout
def test_float32_is_as_exact_as_plain_torch(last: bool) -> None:
    squares = {"triton": torch.zeros(3), "eager": torch.zeros(3)}
    for trial in range(4):
        size = 3 + trial, 8 - trial
        function, tensors, high = build(
            (4, 2, size, 2, (2 * size[0], 2 * size[1] - trial % 2), 0.5, "bilinear"), last
        )
        tensors = [t.float() for t in tensors]
        exact = run(function, [t.double() for t in tensors], high, "eager")
        for name in squares:
            for place, (value, true) in enumerate(zip(run(function, tensors, high, name), exact)):
                squares[name][place] += ((value - true) / true.abs().max()).square().mean()
    assert (squares["triton"] <= squares["eager"]).all(), squares
