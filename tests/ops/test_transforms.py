"""torch.func: forward and reverse derivatives, batches that are mapped, and both together."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, func
from torch.testing import assert_close

import dysample
from dysample import functional
from operators import needs_kernels
from upsamplers import each_name, features, guide_for, lively

pytestmark = [
    # torch scripts rules of its own for the first forward derivative,
    pytest.mark.filterwarnings("ignore:`torch.jit.script. is deprecated"),
    # and maps FADE's blend image by image.
    pytest.mark.filterwarnings("ignore:There is a performance drop"),
]
CLOSE = {"rtol": 1e-10, "atol": 1e-10}  # float64, sums in another order


@pytest.fixture(params=["auto", "eager"])
def backend(request: pytest.FixtureRequest) -> Iterator[str]:
    """Those that leave a choice: `cpu` refuses."""
    with dysample.backend(request.param):
        yield request.param


@each_name
def test_forward_and_reverse_derivatives_are_one(name: str, backend: str) -> None:
    up, x = lively(name), features(height=3, width=4)
    guide = guide_for(up, x)
    out, backward = func.vjp(lambda *t: up(*t), x, *([] if guide is None else [guide]))
    primals = (x,) if guide is None else (x, guide)
    tangents = tuple(torch.randn_like(value) for value in primals)
    same, forward = func.jvp(lambda *t: up(*t), primals, tangents)
    assert_close(same, out, **CLOSE)
    high = torch.randn_like(out)
    reverse = sum((a * b).sum() for a, b in zip(tangents, backward(high)))
    assert_close((high * forward).sum(), reverse, **CLOSE)


@each_name
def test_gradients_of_each_image(name: str, backend: str) -> None:
    up, x = lively(name), features(height=3, width=4)
    guide = guide_for(up, x)
    inputs = [x] if guide is None else [x, guide]

    def loss(*image: Tensor) -> Tensor:
        return up(*(value[None] for value in image)).square().sum()

    expected = [value.clone().requires_grad_() for value in inputs]
    up(*expected).square().sum().backward()
    losses = torch.vmap(loss)(*inputs)
    ours = torch.vmap(func.grad(loss, tuple(range(len(inputs)))))(*inputs)
    assert_close(losses, up(*inputs).square().sum((1, 2, 3)), **CLOSE)
    for gradient, value in zip(ours, expected):
        assert_close(gradient, value.grad, **CLOSE)


@needs_kernels
def test_the_kernels_refuse_to_be_differentiated_by_torch_func() -> None:
    x, offset = features(), features()[:, :8]
    with (
        dysample.backend("cpu"),
        pytest.raises(RuntimeError, match=r"^point_sample: .* torch\.func differentiates torch's"),
    ):
        func.jvp(lambda x: functional.point_sample(x, offset), (x,), (x,))
