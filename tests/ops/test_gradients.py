"""Gradients of the operators: only those that are needed, of any strides and dtypes, once."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import dysample
from dysample import functional, ops
from dysample.backends.cpu import point_sample as cpu_point_sample
from dysample.backends.cpu import reassemble as cpu_reassemble
from support.operators import needs_kernels

pytestmark = needs_kernels
B, C, G = 2, 6, 2
LOW, HIGH = (4, 5), (7, 10)


def features(size=LOW) -> Tensor:
    return torch.randn(B, C, *size, dtype=torch.float64)


def in_groups() -> tuple[Tensor, Tensor, Tensor]:
    """Values, queries and keys."""
    return features(), features(HIGH), features()


def clear_offsets(planes: int, size: tuple[int, int]) -> Tensor:
    """Offsets, exact in every dtype, to places between pixel centres, where gradients jump."""
    return torch.randn(B, planes, *size, dtype=torch.float64).mul(2).round() / 2 + 0.25


# Function of tensors, tensors with a batch, kernels of its gradient in the order of the tensors.
CASES = {
    "point_sample": (
        functional.point_sample,
        lambda: (features(), torch.randn(B, 2 * G, *HIGH, dtype=torch.float64)),
        ("point_sample_backward", "point_sample_backward"),
    ),
    "reassemble": (
        functional.reassemble,
        lambda: (features(), torch.randn(B, G, 9, *HIGH, dtype=torch.float64)),
        ("reassemble_backward", "reassemble_backward_weight"),
    ),
    "carafe": (
        lambda x, logits: functional.carafe(x, logits, 2, kernel=3, groups=G, size=HIGH),
        lambda: (features(), torch.randn(B, 4 * G * 9, *LOW, dtype=torch.float64)),
        ("reassemble_backward", "reassemble_backward_weight"),
    ),
    "affinity": (
        lambda query, key: functional.affinity(query, key, 3, groups=G),
        lambda: (features(HIGH), features()),
        ("reassemble", "reassemble_backward"),
    ),
}
each_case = pytest.mark.parametrize(
    ("function", "inputs", "kernels"), CASES.values(), ids=CASES.keys()
)
# Those and functions that call several kernels, or one many times.
FUNCTIONS = {name: case[:2] for name, case in CASES.items()} | {
    "point_attention": (
        lambda *tensors: functional.point_attention(*tensors, groups=G),
        lambda: (*in_groups(), clear_offsets(6 * G, HIGH)),
    ),
    "sapa_deform": (
        lambda *tensors: functional.sapa_deform(*tensors, 2, groups=G),
        lambda: (*in_groups(), clear_offsets(4 * 2 * G, LOW)),
    ),
}
each_function = pytest.mark.parametrize(
    ("function", "inputs"), FUNCTIONS.values(), ids=FUNCTIONS.keys()
)


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the kernels that run, one after the other."""
    names: list[str] = []
    call = cpu_reassemble.call

    def record(name: str, *arguments: object) -> None:
        names.append(name.removeprefix("dysample_"))
        call(name, *arguments)

    monkeypatch.setattr(cpu_reassemble, "call", record)
    monkeypatch.setattr(cpu_point_sample, "call", record)
    return names


@each_case
def test_gradients_that_nobody_needs_are_not_computed(function, inputs, kernels, called) -> None:
    for needed in ([0], [1], [0, 1]):
        tensors = inputs()
        for place in needed:
            tensors[place].requires_grad_()
        out = function(*tensors)
        called.clear()
        out.sum().backward()
        assert called == list(dict.fromkeys(kernels[place] for place in needed))
        assert [t.grad is not None for t in tensors] == [place in needed for place in (0, 1)]


def test_only_the_wanted_gradient_is_handed_to_the_kernel_of_point_sample(monkeypatch) -> None:
    # One kernel computes both: a null pointer stands for what is not wanted.
    seen = []
    call = cpu_point_sample.call

    def record(name: str, *arguments: object) -> None:
        if name.endswith("backward"):
            seen.append([argument is not None for argument in arguments[5:7]])
        call(name, *arguments)

    monkeypatch.setattr(cpu_point_sample, "call", record)
    function, inputs, _ = CASES["point_sample"]
    for wanted in ([True, False], [False, True], [True, True]):
        function(*(t.requires_grad_(need) for t, need in zip(inputs(), wanted))).sum().backward()
    assert seen == [[True, False], [False, True], [True, True]]


@each_case
def test_nothing_is_computed_twice_without_gradients(function, inputs, kernels, called) -> None:
    with torch.no_grad():
        out = function(*(t.requires_grad_() for t in inputs()))
    assert not out.requires_grad
    assert len(called) == 1


def views(value: Tensor) -> dict[str, Tensor]:
    """Leaves and what a user makes of them before the call, for each way to lie in memory."""
    return {
        "sliced": value.repeat_interleave(2, dim=-1),
        "expanded": value[:1],
        "channels_last": value,
        "reversed axes": value.permute(*reversed(range(value.dim()))).contiguous(),
        "one pixel": value.narrow(-1, 0, 1),
    }


def seen_as(kind: str, leaf: Tensor) -> Tensor:
    if kind == "sliced":
        return leaf[..., ::2]
    if kind == "expanded":
        return leaf.expand(B, *leaf.shape[1:])
    if kind == "channels_last":
        return leaf.movedim(1, -1).contiguous().movedim(-1, 1)
    if kind == "reversed axes":
        return leaf.permute(*reversed(range(leaf.dim())))
    return leaf.expand(*leaf.shape[:-1], HIGH[1] if leaf.shape[-2] == HIGH[0] else LOW[1])


@each_function
@pytest.mark.parametrize(
    "kind", ["sliced", "expanded", "channels_last", "reversed axes", "one pixel"]
)
def test_gradients_through_views(function, inputs, kind: str, kernels: str) -> None:
    tensors = inputs()
    gradients = {}
    for backend in ("eager", kernels):
        leaves = [views(t)[kind].detach().clone().requires_grad_() for t in tensors]
        with dysample.backend(backend):
            out = function(*(seen_as(kind, leaf) for leaf in leaves))
        high = torch.randn(*out.shape, generator=torch.Generator().manual_seed(1)).double()
        # An expanded cotangent as well, as `sum` and `mean` send it back.
        for cotangent in (high, high[..., :1].expand(out.shape), high.transpose(-1, -2).mT):
            grads = torch.autograd.grad(out, leaves, cotangent, retain_graph=True)
            gradients.setdefault(backend, []).extend(grads)
    for ours, expected in zip(gradients[kernels], gradients["eager"]):
        torch.testing.assert_close(ours, expected, rtol=1e-12, atol=1e-12)


@each_function
@pytest.mark.usefixtures("kernels")
def test_gradients_have_the_dtypes_of_their_inputs(function, inputs) -> None:
    for dtypes in ((torch.float32, torch.bfloat16), (torch.bfloat16, torch.float32)):
        tensors = [t.to(dtype).requires_grad_() for t, dtype in zip(inputs(), 2 * dtypes)]
        exact = [t.detach().double().requires_grad_() for t in tensors]
        function(*tensors).double().square().sum().backward()
        function(*exact).square().sum().backward()
        for tensor, expected in zip(tensors, exact):
            assert tensor.grad.dtype == tensor.dtype
            scale = float(expected.grad.abs().max())
            # Two roundings to bfloat16: of the result and of the gradient.
            torch.testing.assert_close(
                tensor.grad.double(), expected.grad, rtol=0, atol=2 * 2**-8 * scale
            )


@each_function
@pytest.mark.usefixtures("kernels")
def test_a_second_derivative_is_refused(function, inputs) -> None:
    tensors = [t.requires_grad_() for t in inputs()]
    for cotangent in (torch.ones(()), torch.ones((), requires_grad=True)):
        out = function(*tensors)
        (gradient,) = torch.autograd.grad(
            out, tensors[0], cotangent.expand(out.shape), create_graph=True
        )
        with pytest.raises(
            NotImplementedError, match=r"`\w+` has no second derivative in the fused kernels"
        ):
            gradient.square().sum().backward()


def sampler_has_a_second_derivative() -> bool:
    """Of torch, later ones have."""
    x, grid = torch.randn(1, 1, 2, 2, requires_grad=True), torch.zeros(1, 1, 1, 2)
    out = F.grid_sample(x, grid.requires_grad_(), align_corners=False)
    try:
        (gradient,) = torch.autograd.grad(out.sum(), grid, create_graph=True)
        torch.autograd.grad(gradient.sum(), x)
    except RuntimeError:
        return False
    return True


@each_function
def test_plain_torch_has_the_second_derivative(function, inputs) -> None:
    """As the kernels' refusal says, where torch's own sampler has one."""
    tensors = [t.requires_grad_() for t in inputs()]
    if function is functional.point_sample and not sampler_has_a_second_derivative():
        pytest.skip(f"F.grid_sample of torch {torch.__version__} has no second derivative")
    with dysample.backend("eager"):
        assert torch.autograd.gradgradcheck(function, tensors, fast_mode=True)


def test_second_derivatives_of_one_tensor_in_several_places() -> None:
    """And of the weights of the points, which modules return too."""
    x, offset = features(HIGH)[:, :, :3, :3], torch.randn(B, 4 * G, 3, 3, dtype=torch.float64)
    with dysample.backend("eager"):
        for result in (0, 1):

            def function(x: Tensor, offset: Tensor, result: int = result) -> Tensor:
                return ops.point_attention(x, x, x, offset, 1, G)[result]

            tensors = [t.clone().requires_grad_() for t in (x, offset)]
            assert torch.autograd.gradcheck(function, tensors)
            assert torch.autograd.gradgradcheck(function, tensors)


@pytest.mark.parametrize("wanted", [[0], [1], [2], [3], [1, 3], [0, 2]], ids=str)
def test_each_gradient_of_point_attention_alone(wanted: list[int]) -> None:
    function, inputs = FUNCTIONS["sapa_deform"]
    tensors = inputs()
    all_of = [t.clone().requires_grad_() for t in tensors]
    with dysample.backend("eager"):
        function(*all_of).square().sum().backward()
    some = [t.clone().requires_grad_(place in wanted) for place, t in enumerate(tensors)]
    for backend in ("cpu", "eager"):
        with dysample.backend(backend):
            found = torch.autograd.grad(
                function(*some).square().sum(), [some[place] for place in wanted]
            )
        for place, gradient in zip(wanted, found):
            torch.testing.assert_close(gradient, all_of[place].grad, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("scope", [False, True])
def test_the_offset_field_has_a_second_derivative(scope: bool) -> None:
    weight, bias = torch.randn(4, 3, 1, 1), torch.randn(4)
    parameters = [weight, bias, torch.randn(4, 3, 1, 1), torch.randn(4)][: 4 if scope else 2]
    tensors = [t.double().requires_grad_() for t in (torch.randn(2, 3, 2, 3), *parameters)]

    def field(x: Tensor, weight: Tensor, bias: Tensor, *gate: Tensor) -> Tensor:
        return ops.offset_field(x, weight, bias, *(gate or (None, None)), 0.25)

    with dysample.backend("cpu"):
        assert torch.autograd.gradcheck(field, tensors)
        assert torch.autograd.gradgradcheck(field, tensors)


def test_the_offset_field_keeps_nothing_without_a_gradient(monkeypatch) -> None:
    kept = []
    call = cpu_point_sample.call

    def record(name: str, *arguments: object) -> None:
        kept.append([argument is not None for argument in arguments[8:10]])  # linear, gate
        call(name, *arguments)

    monkeypatch.setattr(cpu_point_sample, "call", record)
    up, x = dysample.DySample(8, dyscope=True), torch.randn(1, 8, 4, 4)
    with torch.no_grad():
        up.offsets(x)
    up.requires_grad_(False).offsets(x)
    up.requires_grad_().offsets(x)
    assert kept == [[False, False], [False, False], [True, True]]


def test_each_gradient_of_the_offset_field_alone() -> None:
    tensors = [torch.randn(2, 3, 4, 5), torch.randn(4, 3, 1, 1), torch.randn(4)]
    tensors += [torch.randn(4, 3, 1, 1), torch.randn(4)]
    expected = [t.clone().requires_grad_() for t in tensors]
    with dysample.backend("eager"):
        ops.offset_field(*expected, 0.25).square().sum().backward()
    for place, tensor in enumerate(tensors):
        alone = tensor.clone().requires_grad_()
        with dysample.backend("cpu"):
            field = ops.offset_field(*tensors[:place], alone, *tensors[place + 1 :], 0.25)
        field.square().sum().backward()
        torch.testing.assert_close(alone.grad, expected[place].grad)
