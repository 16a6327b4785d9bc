"""The graphs for exporters: the numbers of the slow reference, by both samplers, at any size.

Each in two forms: for any size, and for the example's alone.
"""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import dysample
from dysample import functional
from dysample.backends import reference
from dysample.backends.samplers import SAMPLERS
from dysample.ops import Choice
from support.tolerances import DTYPES, assert_close
from support.upsamplers import NAMES, features, guide_for, lively

length = st.integers(1, 4)
out_length = st.integers(1, 6)  # the reference takes a millisecond a pixel


@pytest.fixture(params=SAMPLERS, autouse=True)
def _sampler(request: pytest.FixtureRequest):
    with dysample.backend(request.param):
        yield


@pytest.fixture(params=["any size", "one size"], autouse=True)
def form(request: pytest.FixtureRequest):
    """Of the graph; sizes are fixed where an exporter traces integers."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "one size":
            patch.setattr("dysample.fixed.is_exporting", lambda: True)
        yield request.param


def field(*shape: int, seed: int, spread: float = 1.0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return spread * torch.randn(*shape, dtype=torch.float64, generator=generator)


@given(length, length, out_length, out_length, st.sampled_from([0.3, 3.0]), st.integers(0, 999))
def test_point_sample(H: int, W: int, Y: int, X: int, spread: float, seed: int) -> None:
    x, offset = field(2, 2, H, W, seed=seed), field(2, 2, Y, X, seed=seed + 1, spread=spread)
    for start in functional.STARTS:
        found = functional.point_sample(x, offset, start=start)
        assert_close(found, reference.point_sample(x, offset, start), torch.float64)


@given(length, length, out_length, out_length, st.sampled_from([1, 3]), st.integers(0, 999))
def test_reassemble_and_affinity(H: int, W: int, Y: int, X: int, k: int, seed: int) -> None:
    x, weight = field(2, 4, H, W, seed=seed), field(2, 2, k * k, Y, X, seed=seed + 1)
    found = functional.reassemble(x, weight, softmax=True)
    assert_close(found, reference.reassemble(x, weight.softmax(2)), torch.float64)
    query = field(2, 4, Y, X, seed=seed + 2)
    expected = reference.affinity(query, x, k, 2)
    assert_close(functional.affinity(query, x, k, groups=2), expected, torch.float64)


@given(length, length, out_length, out_length, st.sampled_from([0.3, 3.0]), st.integers(0, 999))
def test_point_attention(H: int, W: int, Y: int, X: int, spread: float, seed: int) -> None:
    x, key = field(1, 4, H, W, seed=seed), field(1, 6, H, W, seed=seed + 1)
    query = field(1, 6, Y, X, seed=seed + 2)
    offset = field(1, 12, Y, X, seed=seed + 3, spread=spread)
    found = functional.point_attention(x, query, key, offset, groups=2)
    assert_close(found, reference.point_attention(x, query, key, offset, 2), torch.float64)


@pytest.mark.parametrize("wild", [float("nan"), float("inf"), float("-inf"), 1e30])
def test_wild_offsets_stay_on_the_map(wild: float, form: str) -> None:
    x, offset = field(1, 2, 3, 4, seed=0), field(1, 2, 6, 8, seed=1)
    offset[0, :, 2, 3] = wild
    query = field(1, 2, 6, 8, seed=2)
    sampled = functional.point_sample(x, offset), reference.point_sample(x, offset)
    attended = (
        functional.point_attention(x, query, x, offset),
        reference.point_attention(x, query, x, offset, 1),
    )
    for found, expected in (sampled, attended):
        if wild != wild and form == "one size":  # bounded by Clip, which lets NaN pass
            assert not found[0, :, 2, 3].isinf().any()
            found, expected = (t.index_fill(2, torch.tensor(2), 0) for t in (found, expected))
        assert_close(found, expected, torch.float64)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_dtypes(dtype: torch.dtype) -> None:
    x, offset = field(1, 4, 5, 6, seed=0).to(dtype), field(1, 4, 10, 9, seed=1).to(dtype)
    expected = reference.point_sample(x.double(), offset.double())
    assert_close(functional.point_sample(x, offset), expected, dtype)


def test_memory_format_is_that_of_the_input() -> None:
    x, offset = field(2, 4, 5, 6, seed=0), field(2, 4, 10, 9, seed=1)
    last = functional.point_sample(x.contiguous(memory_format=torch.channels_last), offset)
    assert last.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(last, functional.point_sample(x, offset))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("batch", [1, 2])
def test_every_upsampler(name: str, batch: int) -> None:
    up, x = lively(name), features(batch)
    for size in (None, (9, 15), (3, 7)):
        guide = guide_for(up, x, size)
        found = up(x, guide, size=size)
        with dysample.backend("eager"):
            torch.testing.assert_close(found, up(x, guide, size=size), rtol=0, atol=1e-12)


def test_explain_tells_which_sampler(request: pytest.FixtureRequest) -> None:
    sampler = request.node.callspec.params["_sampler"]
    with dysample.ops.recorded() as choices:
        functional.point_sample(torch.zeros(1, 1, 2, 2), torch.zeros(1, 2, 4, 4))
    assert choices == [Choice("point_sample", sampler, f"the backend is set to {sampler!r}")]
