"""torch.func: forward and reverse derivatives, batches that are mapped, and both together."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, func, nn
from torch.autograd import forward_ad
from torch.testing import assert_close

import dysample
from dysample import functional
from support.operators import needs_kernels
from support.upsamplers import each_name, features, guide_for, lively

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
def test_dual_tensors_made_by_hand_have_the_same_derivative(name: str, backend: str) -> None:
    """Whether the weights want gradients too or not: then torch hides autograd functions."""
    for frozen in (True, False):
        up, x = lively(name).requires_grad_(not frozen), features(height=3, width=4)
        guide = guide_for(up, x)
        primals = (x,) if guide is None else (x, guide)
        tangents = tuple(torch.randn_like(value) for value in primals)
        with forward_ad.dual_level():
            out = up(*map(forward_ad.make_dual, primals, tangents))
            forward = forward_ad.unpack_dual(out).tangent
        high = torch.randn_like(out)
        inputs = [value.clone().requires_grad_() for value in primals]
        backward = torch.autograd.grad(up(*inputs), inputs, high)
        reverse = sum((a * b).sum() for a, b in zip(tangents, backward))
        assert reverse.abs() > 1e-3
        assert_close((high * forward).sum(), reverse, **CLOSE)


def operators() -> list[tuple[Callable[..., Tensor], tuple[Tensor, ...]]]:
    """Every operator, and small tensors that it takes."""

    def random(*shape: int) -> Tensor:
        return torch.randn(2, *shape, dtype=torch.float64)

    def attention(x: Tensor, query: Tensor, key: Tensor, offset: Tensor) -> Tensor:
        return functional.point_attention(x, query, key, offset, groups=2)

    up = dysample.DySample(4, groups=2, dyscope=True).double()
    for weight in up.parameters():
        nn.init.normal_(weight)
    return [
        (functional.point_sample, (random(4, 3, 2), random(4, 5, 4))),
        (functional.reassemble, (random(4, 3, 2), random(2, 9, 6, 4))),
        (
            lambda x, w: functional.reassemble(x, w, softmax=True),
            (random(4, 3, 2), random(1, 9, 7, 4)),
        ),
        (lambda q, k: functional.affinity(q, k, 3, groups=2), (random(4, 6, 4), random(4, 3, 2))),
        (attention, (random(4, 3, 2), random(6, 5, 4), random(6, 3, 2), random(12, 5, 4))),
        (lambda x, o: functional.dysample(x, o, 2), (random(4, 3, 2), random(16, 3, 2))),
        (lambda x, k: functional.carafe(x, k, 2, kernel=3), (random(4, 3, 2), random(36, 3, 2))),
        (
            lambda *t: functional.sapa(*t, kernel=3),
            (random(4, 3, 2), random(6, 5, 4), random(6, 3, 2)),
        ),
        (up.offsets, (random(4, 3, 2),)),
    ]


@pytest.mark.parametrize("number", range(len(operators())))
def test_jacobians_of_operators_are_one_in_both_modes(number: int, backend: str) -> None:
    jacobian = torch.autograd.functional.jacobian
    function, inputs = operators()[number]
    forward = jacobian(function, inputs, strategy="forward-mode", vectorize=True)
    reverse = jacobian(function, inputs)
    for ours, expected in zip(forward, reverse):
        assert expected.abs().max() > 0.01
        assert_close(ours, expected, **CLOSE)


@pytest.mark.parametrize("number", range(len(operators())))
@needs_kernels
def test_the_kernels_refuse_dual_tensors(number: int) -> None:
    function, inputs = operators()[number]
    with (
        dysample.backend("cpu"),
        forward_ad.dual_level(),
        pytest.raises(
            RuntimeError,
            match=r"^\w+: backend 'cpu' cannot run this call: torch\.func and forward-mode deriv",
        ),
    ):
        function(*(forward_ad.make_dual(value, value) for value in inputs))


@needs_kernels
def test_operators_called_by_hand_refuse_to_lose_a_tangent() -> None:
    """Graphs that were made outside, programs that were exported, and whoever calls an operator."""
    x, offset = features().requires_grad_(), features()[:, :8]
    message = "^`point_sample{}` has no forward-mode derivative in the fused kernels: run, or trace"
    out = functional.point_sample(x, offset)

    def gradient(high: Tensor) -> Tensor:
        return torch.autograd.grad(out, x, high, retain_graph=True)[0]

    def operator(x: Tensor) -> Tensor:
        value: Tensor = torch.ops.dysample.point_sample(x, offset, 1, 5, 7, False)
        return value

    for function, value, which in (
        (gradient, out.detach(), "_backward"),
        (operator, x.detach(), ""),
    ):
        with pytest.raises(NotImplementedError, match=message.format(which)):
            func.jvp(function, (value,), (value,))
        with (
            forward_ad.dual_level(),
            pytest.raises(NotImplementedError, match=message.format(which)),
        ):
            function(forward_ad.make_dual(value, value))


@pytest.mark.usefixtures("fresh_dynamo")
@pytest.mark.parametrize("name", ["dysample_plus", "carafe"])
def test_compiled_derivatives_are_the_same(name: str, backend: str) -> None:
    up, x = lively(name).requires_grad_(False), features(height=3, width=4)
    tangent = torch.randn_like(x)

    def derivative(x: Tensor, tangent: Tensor) -> Tensor:
        return func.jvp(up, (x,), (tangent,))[1]

    expected = derivative(x, tangent)
    compiled = torch.compile(derivative, backend="aot_eager")
    assert_close(compiled(x, tangent), expected, **CLOSE)
    outside = torch.compile(up, backend="aot_eager")
    assert_close(outside(x), up(x), **CLOSE)  # compiled without a tangent,
    with forward_ad.dual_level():
        out = outside(forward_ad.make_dual(x, tangent))  # and then used with one
        assert_close(forward_ad.unpack_dual(out).tangent, expected, **CLOSE)


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
        pytest.raises(RuntimeError, match=r"^point_sample: .* torch\.func and forward-mode deriv"),
    ):
        func.jvp(lambda x: functional.point_sample(x, offset), (x,), (x,))
