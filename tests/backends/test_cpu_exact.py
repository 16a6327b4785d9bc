"""The kernels beyond their tiles, and their rounding errors beside plain torch's."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

import dysample
from dysample import ops
from dysample.backends.cpu import library
from support.operators import needs_kernels

pytestmark = needs_kernels
Size = tuple[int, int]
each_layout = pytest.mark.parametrize("last", [False, True], ids=["NCHW", "channels_last"])


def run(function: Callable[..., Tensor], tensors: list[Tensor], high: Tensor, name: str):
    """Result and gradients on a backend."""
    leaves = [t.detach().requires_grad_() for t in tensors]
    with dysample.backend(name):
        out = function(*leaves)
        return [out.detach(), *torch.autograd.grad(out, leaves, high.to(out.dtype))]


def values(*shape: int, last: bool = False) -> Tensor:
    value = torch.randn(*shape, dtype=torch.float64)
    return value.contiguous(memory_format=torch.channels_last) if last else value


def assert_same(function: Callable[..., Tensor], tensors: list[Tensor]) -> None:
    """Results and gradients equal plain torch's, in float64."""
    with dysample.backend("eager"):
        high = torch.randn_like(function(*tensors))
    for ours, exact in zip(
        run(function, tensors, high, "cpu"), run(function, tensors, high, "eager")
    ):
        torch.testing.assert_close(ours, exact, rtol=1e-9, atol=1e-11)


def point_sample(B: int, C: int, G: int, size: Size, out: Size, spread: float, last: bool = False):
    tensors = [values(B, C, *size, last=last), spread * values(B, 2 * G, *out)]
    return (lambda x, field: ops.point_sample(x, field, 1, out, "bilinear")), tensors


def reassemble(B: int, C: int, G: int, size: Size, out: Size, k: int, last: bool = False):
    tensors = [values(B, C, *size, last=last), values(B, G * k**2, *out)]
    return (lambda x, field: ops.reassemble(x, field, k, 1, out, True)), tensors


def affinity(B: int, C: int, G: int, size: Size, out: Size, k: int, last: bool = False):
    tensors = [values(B, C, *out, last=last), values(B, C, *size, last=last)]
    return (lambda query, key: ops.affinity(query, key, k, G)), tensors


@each_layout
@pytest.mark.parametrize(
    ("size", "out", "spread"),
    [
        ((300, 9), (300, 9), 40),  # far more rows than are held at a time
        ((300, 9), (600, 18), 2),
        ((300, 9), (31, 5), 300),
        ((5, 1100), (10, 1100), 400),  # long rows, few of which are held
        ((900, 260), (9, 26), 30),  # rows are left out
    ],
)
def test_point_sample_of_far_rows(size: Size, out: Size, spread: float, last: bool) -> None:
    assert_same(*point_sample(1, 6, 2, size, out, spread, last))


@each_layout
def test_many_channels_of_a_group(last: bool) -> None:
    assert_same(*point_sample(1, 600, 1, (9, 11), (18, 22), 3, last))
    assert_same(*reassemble(1, 600, 1, (9, 11), (18, 22), 5, last))
    assert_same(*affinity(1, 600, 1, (9, 11), (18, 22), 5, last))


@each_layout
def test_many_groups(last: bool) -> None:
    assert_same(*point_sample(1, 34, 17, (5, 6), (10, 12), 1, last))
    assert_same(*reassemble(1, 34, 17, (5, 6), (10, 12), 3, last))
    assert_same(*affinity(1, 34, 17, (5, 6), (10, 12), 3, last))


@each_layout
def test_maps_of_several_strips_and_bands(last: bool) -> None:
    assert_same(*reassemble(1, 3, 1, (70, 1100), (70, 1100), 3, last))
    assert_same(*affinity(1, 3, 1, (70, 1100), (70, 1100), 3, last))
    assert_same(*reassemble(1, 70, 1, (4, 600), (8, 900), 7, last))
    assert_same(*affinity(1, 70, 1, (4, 600), (8, 900), 7, last))


@each_layout
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_every_width(dtype: torch.dtype, last: bool) -> None:
    # Tails of vectors, of cache lines and of lines that overlap the one before.
    for width in range(1, 71):
        for build, option in ((point_sample, 1.0), (reassemble, 3), (affinity, 3)):
            function, tensors = build(1, 18, 1, (2, width), (3, 2 * width), option, last)
            tensors = [t.to(dtype) for t in tensors]
            with dysample.backend("eager"):
                exact = function(*(t.double() for t in tensors))
            with dysample.backend("cpu"):
                ours = function(*tensors)
            eps = torch.finfo(ours.dtype).eps
            torch.testing.assert_close(ours.double(), exact, rtol=eps, atol=2e-5, msg=str(width))


@pytest.mark.parametrize("channels", [*range(1, 20), 31, 33, 47, 63, 65])
def test_every_number_of_channels(channels: int) -> None:
    for last in (False, True):
        for build, option in ((point_sample, 1.0), (reassemble, 3), (affinity, 3)):
            function, tensors = build(1, 2 * channels, 2, (3, 17), (6, 34), option, last)
            assert_same(function, tensors)


@each_layout
def test_large_results_are_stored_past_the_caches(last: bool) -> None:
    # From 1 MiB on where rows are whole cache lines; on huge pages from 4 MiB on.
    for build, option in ((point_sample, 1.0), (reassemble, 3)):
        function, tensors = build(1, 64, 1, (72, 64), (144, 128), option, last)
        tensors = [t.float() for t in tensors]
        with dysample.backend("eager"):
            exact = function(*(t.double() for t in tensors))
        with dysample.backend("cpu"):
            ours = function(*tensors)
        assert ours.untyped_storage().nbytes() > 4 << 20
        torch.testing.assert_close(ours.double(), exact, rtol=0, atol=1e-5)


# Root mean square error over plain torch's, at most. Positions are more exact than those of
# `grid_sample`; sums have as many roundings, in another order.
FUSED = {"point_sample": 0.15, "reassemble": 1.01, "affinity": 1.01}
# SSE2 has no fused multiply-add, which saves plain torch a rounding a term.
UNFUSED = {"point_sample": 0.15, "reassemble": 1.04, "affinity": 1.08}
CASES = [(point_sample, 1.0), (reassemble, 5), (affinity, 5)]


@each_layout
@pytest.mark.parametrize(("build", "option"), CASES, ids=[b.__name__ for b, _ in CASES])
def test_float32_is_as_exact_as_plain_torch(build, option, last: bool) -> None:
    # Errors in ulps of the largest result.
    squares = {"cpu": torch.zeros(3), "eager": torch.zeros(3)}
    largest = {"cpu": torch.zeros(3), "eager": torch.zeros(3)}
    for trial in range(24):
        C, size = (4, 16, 96, 192)[trial % 4], (5 + trial, 40 - trial)
        out = 2 * size[0], 2 * size[1] - trial % 3
        function, tensors = build(1, C, 2, size, out, option, last)
        tensors = [t.float() for t in tensors]
        with dysample.backend("eager"):
            high = torch.randn_like(function(*tensors))
        exact = run(function, [t.double() for t in tensors], high, "eager")
        for name in squares:
            for place, (value, true) in enumerate(zip(run(function, tensors, high, name), exact)):
                ulp = torch.finfo(torch.float32).eps * true.abs().max()
                error = (value - true).abs() / ulp
                squares[name][place] += error.square().mean()
                largest[name][place] = max(largest[name][place], float(error.max()))
    ratio = (UNFUSED if library.isa == "baseline" else FUSED)[build.__name__]
    relative = (squares["cpu"] / squares["eager"]).sqrt()
    assert (relative <= ratio).all(), relative
    assert (largest["cpu"] <= 1.5 * largest["eager"] + 1).all(), largest
