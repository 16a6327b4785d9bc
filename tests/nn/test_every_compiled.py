"""Every registered upsampler under torch.compile."""

from __future__ import annotations

import copy
import inspect

import pytest
import torch
from torch._dynamo.utils import counters

import dysample
from dysample.registry import get_entry
from support.upsamplers import NAMES, features, guide_for, lively, on_each_backend

pytestmark = pytest.mark.usefixtures("backend", "fresh_dynamo")
# No length is that of another axis, which torch would take for the same in every call.
SIZES = ((3, 11, 13), (2, 17, 14), (5, 12, 19))


def quick(name: str) -> dysample.Upsampler:
    """Tracing 25 taps with symbolic sizes takes minutes; 9 show the same."""
    options = inspect.signature(get_entry(name).factory).parameters
    return lively(name, **({"up_kernel": 3} if "up_kernel" in options else {}))


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
    up = quick(name)
    compiled = torch.compile(up, fullgraph=True, backend="aot_eager")
    for x, size in ((features(), None), (features(3, 8, 6), None), (features(3, 8, 6), (13, 9))):
        guide = guide_for(up, x, size)
        torch.testing.assert_close(compiled(x, guide, size=size), up(x, guide, size=size))


@pytest.mark.slow
@on_each_backend(NAMES)
def test_one_graph_serves_every_batch_and_size(name: str) -> None:
    up = quick(name)
    counters.clear()
    compiled = torch.compile(up, fullgraph=True, dynamic=True, backend="eager")
    with torch.no_grad():
        for size in SIZES:
            x = features(*size)
            guide = guide_for(up, x)
            torch.testing.assert_close(compiled(x, guide), up(x, guide))
    assert counters["stats"]["unique_graphs"] == 1


@pytest.mark.slow
@on_each_backend(NAMES)
def test_exports_with_free_batch_height_and_width(name: str, backend: str) -> None:
    up, x = quick(name), features(*SIZES[0])
    guide = guide_for(up, x)
    example = (x,) if guide is None else (x, guide)
    free = dict.fromkeys((0, 2, 3), torch.export.Dim.DYNAMIC)
    any_guide = guide is not None and backend == "cpu"  # plain torch branches on whole ratios
    module = torch.export.export(up, example, dynamic_shapes=(free,) * len(example)).module()
    for batch, height, width in (*SIZES[1:], (1, 7, 5)):
        x = features(batch, height, width)
        for size in (None, (2 * height - 1, 3 * width + 1)) if any_guide else (None,):
            inputs = (x,) if guide is None else (x, guide_for(up, x, size))
            torch.testing.assert_close(module(*inputs), up(*inputs))


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
