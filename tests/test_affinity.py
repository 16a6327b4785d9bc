"""`affinity` and `point_attention`: one tester for both, each held to the slow reference."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from dysample import functional
from dysample.backends import reference
from support.tolerances import ATOL, BACKENDS, DTYPES, assert_close

# B, E (channels a group), G, (H, W), (H', W')
SHAPES = [
    (2, 2, 2, (2, 3), (4, 6)),  # scale 2
    (1, 1, 3, (1, 3), (3, 9)),  # scale 3, a group a channel
    (1, 4, 1, (4, 3), (7, 5)),  # fractional, both axes different
    (1, 2, 1, (5, 4), (3, 2)),  # smaller than the input
    (1, 2, 2, (1, 1), (4, 3)),  # a single pixel
    (1, 2, 1, (1, 6), (2, 12)),  # a line
    (1, 2, 1, (3, 3), (3, 3)),  # scale 1
]
Size = tuple[int, int]
Primitive = Callable[..., Tensor]


def affinity_inputs(B: int, E: int, G: int, size: Size, out: Size) -> tuple[Tensor, ...]:
    """Query and key whose products are of order 1."""
    scale = E**-0.25
    query = scale * torch.randn(B, G * E, *out, dtype=torch.float64)
    return query, scale * torch.randn(B, G * E, *size, dtype=torch.float64)


def attention_inputs(B: int, E: int, G: int, size: Size, out: Size) -> tuple[Tensor, ...]:
    """Two points a group, the x and y of each clear of the pixel centres, where gradients jump."""
    x = torch.randn(B, 2 * G, *size, dtype=torch.float64)
    offset = torch.randn(B, 4 * G, *out, dtype=torch.float64).mul(2).round() / 2
    offset = offset + 0.1 + 0.01 * torch.rand_like(offset)
    return x, *affinity_inputs(B, E, G, size, out), offset


def affinity(query: Tensor, key: Tensor, *, groups: int) -> Tensor:
    return functional.affinity(query, key, 3, groups=groups)


def slow_affinity(query: Tensor, key: Tensor, *, groups: int) -> Tensor:
    return reference.affinity(query, key, 3, groups)


PRIMITIVES = {
    "affinity": (affinity, slow_affinity, affinity_inputs),
    "attention": (functional.point_attention, reference.point_attention, attention_inputs),
}
CASES = [
    pytest.param(*primitive, backend, id=f"{name}-{backend}")
    for name, primitive in PRIMITIVES.items()
    for backend in BACKENDS
]
each_primitive = pytest.mark.parametrize(
    ("primitive", "slow", "inputs", "backend"), CASES, indirect=["backend"]
)


@pytest.mark.parametrize("scale", [1, 2, 3])
@pytest.mark.parametrize("out", [(6, 8), (7, 5), (2, 9), (3, 4)], ids=str)
def test_sapa_deform_reads_the_nearest_sub_pixel(scale: int, out: Size, backend: str) -> None:
    x, query, key, _ = attention_inputs(2, 2, 2, (3, 4), out)
    field = torch.randn(2, 12 * scale**2, 3, 4, dtype=torch.float64)
    tensors = [tensor.requires_grad_() for tensor in (x, query, key, field)]
    ours = functional.sapa_deform(*tensors, scale, groups=2)
    spread = F.interpolate(F.pixel_shuffle(field, scale), out, mode="nearest-exact")
    expected = functional.point_attention(x, query, key, spread, groups=2)
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-13)
    high = torch.randn_like(ours)
    for our, their in zip(
        torch.autograd.grad(ours, tensors, high), torch.autograd.grad(expected, tensors, high)
    ):
        torch.testing.assert_close(our, their, rtol=0, atol=1e-12)


def result_dtype(primitive: Primitive, dtype: torch.dtype) -> torch.dtype:
    """Logits keep float32 at least, features the dtype of x."""
    return torch.promote_types(dtype, torch.float32) if primitive is affinity else dtype


@each_primitive
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_equals_reference(
    primitive: Primitive, slow: Primitive, inputs: Primitive, shape, backend: str
) -> None:
    tensors = inputs(*shape)
    expected = slow(*tensors, groups=shape[2])
    assert_close(primitive(*tensors, groups=shape[2]), expected, torch.float64, backend)


@pytest.mark.parametrize("kernel", [1, 5])
def test_affinity_at_other_kernels(kernel: int, backend: str) -> None:
    query, key = affinity_inputs(1, 2, 1, (3, 2), (6, 5))
    expected = reference.affinity(query, key, kernel)
    assert_close(functional.affinity(query, key, kernel), expected, torch.float64, backend)


@each_primitive
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_dtypes(
    primitive: Primitive, slow: Primitive, inputs: Primitive, dtype, backend: str
) -> None:
    tensors = [tensor.to(dtype) for tensor in inputs(2, 2, 2, (4, 5), (8, 9))]
    expected = slow(*(tensor.double() for tensor in tensors), groups=2)
    assert_close(primitive(*tensors, groups=2), expected, result_dtype(primitive, dtype), backend)


@each_primitive
def test_inputs_may_differ_in_dtype(
    primitive: Primitive, slow: Primitive, inputs: Primitive, backend: str
) -> None:
    # Under autocast what a convolution made is bfloat16 while features stay float32.
    first, *rest = inputs(1, 2, 2, (4, 4), (8, 8))
    tensors = [first.float(), *(tensor.bfloat16() for tensor in rest)]
    expected = slow(*(tensor.double() for tensor in tensors), groups=2)
    assert_close(primitive(*tensors, groups=2), expected, torch.float32, backend)


@each_primitive
@pytest.mark.parametrize("out", [(8, 10), (7, 9)], ids=str)
def test_memory_formats(
    primitive: Primitive, slow: Primitive, inputs: Primitive, out: Size, backend: str
) -> None:
    tensors = inputs(2, 2, 2, (4, 5), out)
    expected = primitive(*tensors, groups=2)
    assert expected.is_contiguous()
    last = [tensor.contiguous(memory_format=torch.channels_last) for tensor in tensors]
    strided = [tensor.repeat_interleave(2, dim=-1)[..., ::2] for tensor in tensors]
    torch.testing.assert_close(primitive(*last, groups=2), expected, rtol=0, atol=1e-14)
    assert torch.equal(primitive(*strided, groups=2), expected)
    if primitive is not affinity:
        assert primitive(*last, groups=2).is_contiguous(memory_format=torch.channels_last)


@each_primitive
def test_empty_batch(
    primitive: Primitive, slow: Primitive, inputs: Primitive, backend: str
) -> None:
    tensors = [tensor.requires_grad_() for tensor in inputs(0, 2, 2, (3, 3), (6, 6))]
    out = primitive(*tensors, groups=2)
    out.sum().backward()
    assert out.shape == ((0, 2, 9, 6, 6) if primitive is affinity else (0, 4, 6, 6))
    assert all(tensor.grad.shape == tensor.shape for tensor in tensors)


@each_primitive
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_gradcheck(
    primitive: Primitive, slow: Primitive, inputs: Primitive, shape, backend: str
) -> None:
    tensors = [tensor.requires_grad_() for tensor in inputs(*shape)]
    assert torch.autograd.gradcheck(lambda *t: primitive(*t, groups=shape[2]), tensors)


@each_primitive
def test_gradients_equal_reference(
    primitive: Primitive, slow: Primitive, inputs: Primitive, backend: str
) -> None:
    tensors = [tensor.requires_grad_() for tensor in inputs(1, 2, 2, (3, 4), (5, 8))]
    theirs_out = slow(*tensors, groups=2)
    cotangent = torch.randn_like(theirs_out)
    ours = torch.autograd.grad(primitive(*tensors, groups=2), tensors, cotangent)
    theirs = torch.autograd.grad(theirs_out, tensors, cotangent)
    for our, their in zip(ours, theirs):
        torch.testing.assert_close(our, their, rtol=0, atol=1e-10)


@each_primitive
def test_each_gradient_alone(
    primitive: Primitive, slow: Primitive, inputs: Primitive, backend: str
) -> None:
    tensors = inputs(1, 2, 1, (3, 4), (6, 8))
    together = [tensor.clone().requires_grad_() for tensor in tensors]
    primitive(*together, groups=1).square().sum().backward()
    for place, tensor in enumerate(tensors):
        alone = tensor.clone().requires_grad_()
        primitive(
            *tensors[:place], alone, *tensors[place + 1 :], groups=1
        ).square().sum().backward()
        torch.testing.assert_close(alone.grad, together[place].grad)


@pytest.mark.parametrize(
    ("primitive", "slow", "inputs", "backend"),
    [
        # Tracing every tap takes long; with the kernels it is one operator.
        case if case.values[-1] == "cpu" else pytest.param(*case.values, marks=pytest.mark.slow)
        for case in CASES
    ],
    indirect=["backend"],
)
@pytest.mark.usefixtures("fresh_dynamo")
def test_compiles_to_one_graph(
    primitive: Primitive, slow: Primitive, inputs: Primitive, backend: str
) -> None:
    compiled = torch.compile(primitive, fullgraph=True, backend="aot_eager")
    for size, out in (((4, 5), (4, 10)), ((6, 7), (7, 9))):  # the second with symbolic sizes
        tensors = [tensor.requires_grad_() for tensor in inputs(2, 2, 2, size, out)]
        result = compiled(*tensors, groups=2)
        expected = primitive(*tensors, groups=2)
        torch.testing.assert_close(result, expected)
        ours = torch.autograd.grad(result.square().sum(), tensors)
        theirs = torch.autograd.grad(expected.square().sum(), tensors)
        torch.testing.assert_close(ours, theirs)


@each_primitive
@given(data=st.data())
def test_property_any_shape(
    primitive: Primitive, slow: Primitive, inputs: Primitive, backend: str, data: st.DataObject
) -> None:
    groups = data.draw(st.integers(1, 3), "groups")
    small = st.integers(1, 5)
    size = (data.draw(small, "H"), data.draw(small, "W"))
    out = (data.draw(st.integers(1, 9), "H'"), data.draw(st.integers(1, 9), "W'"))
    dtype = data.draw(st.sampled_from(DTYPES), "dtype")
    torch.manual_seed(data.draw(st.integers(0, 2**16), "seed"))
    shape = (data.draw(st.integers(0, 2), "B"), data.draw(st.integers(1, 3), "E"), groups)
    tensors = [tensor.to(dtype) for tensor in inputs(*shape, size, out)]
    if data.draw(st.booleans(), "channels_last"):
        tensors = [tensor.contiguous(memory_format=torch.channels_last) for tensor in tensors]
    if data.draw(st.booleans(), "strided"):
        tensors = [tensor.repeat_interleave(2, dim=-1)[..., ::2] for tensor in tensors]
    expected = slow(*(tensor.double() for tensor in tensors), groups=groups)
    ours = primitive(*tensors, groups=groups)
    # Logits are sums of 3 products that grow beyond 1: ten roundings.
    assert ours.dtype == result_dtype(primitive, dtype)
    atol = 10 * ATOL[backend][ours.dtype]
    torch.testing.assert_close(ours.double(), expected, rtol=0, atol=atol)


# What they mean.


def test_affinity_of_a_one_hot_query_reads_the_neighbours(backend: str) -> None:
    key = torch.randn(1, 2, 3, 4, dtype=torch.float64)
    query = torch.zeros(1, 2, 6, 8, dtype=torch.float64)
    query[:, 1] = 1
    out = functional.affinity(query, key, 3)
    windows = F.unfold(key[:, 1:], 3, padding=1).view(1, 9, 3, 4)
    expected = F.interpolate(windows, (6, 8), mode="nearest").unsqueeze(1)
    assert torch.equal(out, expected)


def test_logits_outside_the_map_are_zero_and_take_part(backend: str) -> None:
    query, key = torch.ones(1, 1, 1, 1), torch.full((1, 1, 1, 1), 3.0)
    logits = functional.affinity(query, key, 3)
    assert torch.equal(logits.flatten(), torch.tensor([0.0] * 4 + [3.0] + [0.0] * 4))
    out = functional.sapa(torch.ones(1, 1, 1, 1), query, key, kernel=3)
    torch.testing.assert_close(out[0, 0, 0], logits.softmax(2)[0, 0, 4, 0])


def test_groups_are_contiguous_blocks_of_channels(backend: str) -> None:
    x, query, key, offset = attention_inputs(1, 2, 3, (4, 4), (8, 8))
    logits = functional.affinity(query, key, 3, groups=3)
    whole = functional.point_attention(x, query, key, offset, groups=3)
    for g in range(3):
        part, quarter = slice(2 * g, 2 * g + 2), slice(4 * g, 4 * g + 4)
        alone = functional.affinity(query[:, part], key[:, part], 3)
        assert torch.equal(logits[:, g : g + 1], alone)
        fields = (x[:, part], query[:, part], key[:, part], offset[:, quarter])
        assert torch.equal(whole[:, part], functional.point_attention(*fields))


def test_a_query_of_zero_weighs_all_alike(backend: str) -> None:
    x = torch.randn(1, 3, 5, 6, dtype=torch.float64)
    query = torch.zeros(1, 2, 10, 12, dtype=torch.float64)
    key = torch.randn(1, 2, 5, 6, dtype=torch.float64)
    box = F.interpolate(F.avg_pool2d(x, 3, stride=1, padding=1), (10, 12), mode="nearest")
    assert_close(functional.sapa(x, query, key, kernel=3), box, torch.float64, backend)
    still = torch.zeros(1, 4, 10, 12, dtype=torch.float64)
    nearest = F.interpolate(x, (10, 12), mode="nearest")
    assert_close(functional.point_attention(x, query, key, still), nearest, torch.float64, backend)


def test_points_at_the_window_are_the_affinity(backend: str) -> None:
    x, query, key, _ = attention_inputs(1, 3, 1, (4, 5), (9, 10))
    steps = torch.tensor([-1.0, 0.0, 1.0], dtype=torch.float64)
    # Tap (dy, dx), rows first; channels x then y of each point.
    window = torch.stack((steps.repeat(3), steps.repeat_interleave(3)), dim=1).reshape(1, 18, 1, 1)
    points = functional.point_attention(x, query, key, window.expand(1, 18, 9, 10))
    assert_close(points, functional.sapa(x, query, key, kernel=3), torch.float64, backend)


def test_points_outside_the_map_are_zero_and_take_part() -> None:
    x = torch.ones(1, 1, 2, 2, dtype=torch.float64)
    offset = torch.zeros(1, 4, 2, 2, dtype=torch.float64)
    offset[:, 2] = 2  # the second point leaves to the right
    out = functional.point_attention(x, torch.zeros_like(x), x, offset)
    torch.testing.assert_close(out, 0.5 * x)
    for far in (1e30, -1e30, float("inf"), float("-inf")):
        offset[:, 2] = far
        torch.testing.assert_close(functional.point_attention(x, 0 * x, x, offset), 0.5 * x)


def test_low_precision_logits_are_not_rounded(backend: str) -> None:
    # 2 * 128 + 1: bfloat16 holds only even numbers there.
    query = torch.tensor([16.0, 1.0]).view(1, 2, 1, 1).bfloat16()
    key = torch.tensor([16.0, 1.0]).view(1, 2, 1, 1).bfloat16()
    assert functional.affinity(query, key, 1).item() == 257
