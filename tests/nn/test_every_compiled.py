"""Every registered upsampler under torch.compile."""

from __future__ import annotations

import copy
import inspect

import pytest
import torch

from dysample.registry import get_entry
from upsamplers import NAMES, features, guide_for, lively, on_each_backend

pytestmark = pytest.mark.usefixtures("backend", "fresh_dynamo")


@on_each_backend(NAMES, slow_in_plain_torch=True)
def test_compiles_to_one_graph(name: str) -> None:
    up, x = lively(name), features()
    compiled = torch.compile(up, fullgraph=True, dynamic=False, backend="aot_eager")
    for size in (None, (13, 9)):
        guide = guide_for(up, x, size)
        torch.testing.assert_close(compiled(x, guide, size=size), up(x, guide, size=size))


@pytest.mark.slow
@on_each_backend(NAMES)
def test_compiles_to_one_graph_of_any_size(name: str) -> None:
    # Tracing 25 taps with symbolic sizes takes minutes; 9 show the same.
    options = inspect.signature(get_entry(name).factory).parameters
    up = lively(name, **({"up_kernel": 3} if "up_kernel" in options else {}))
    compiled = torch.compile(up, fullgraph=True, backend="aot_eager")
    for x, size in ((features(), None), (features(3, 8, 6), None), (features(3, 8, 6), (13, 9))):
        guide = guide_for(up, x, size)
        torch.testing.assert_close(compiled(x, guide, size=size), up(x, guide, size=size))


@pytest.mark.slow
@on_each_backend(["carafe", "indexnet", "a2u", "fade", "fade_lite", "dysample", "dysample_s_plus"])
def test_compiles_with_inductor(name: str) -> None:
    exact = lively(name)
    up = copy.deepcopy(exact).float()
    x = features().float()
    guide = guide_for(up, x)
    expected = exact(x.double(), None if guide is None else guide.double())
    compiled = torch.compile(up, fullgraph=True)(x, guide)
    # Sums in another order: as exact as eager mode is, give or take.
    eager_error = float((up(x, guide).double() - expected).detach().abs().max())
    assert compiled.dtype == torch.float32
    assert float((compiled.double() - expected).detach().abs().max()) < 3 * eager_error + 1e-6
    compiled.sum().backward()
