"""The primitives: one tester for all of them, each backend held to the slow reference."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from dysample import functional
from support.primitives import PRIMITIVES, Primitive, Size, point_sample_inputs
from support.tolerances import ATOL, BACKENDS, DTYPES, assert_close

# B, channels a group, groups, (H, W), (H', W')
SHAPES = [
    (2, 2, 2, (2, 3), (4, 6)),  # scale 2
    (1, 1, 3, (2, 3), (6, 9)),  # scale 3, a group a channel
    (1, 4, 1, (4, 3), (7, 5)),  # fractional, both axes different
    (1, 2, 1, (5, 4), (3, 2)),  # smaller than the input
    (1, 2, 2, (1, 1), (4, 3)),  # a single pixel
    (1, 2, 1, (1, 6), (2, 12)),  # a line
    (1, 2, 1, (3, 3), (3, 3)),  # scale 1
]
pytestmark = pytest.mark.usefixtures("backend")
# Tracing every tap takes long; with the kernels it is one operator.
slow_in_plain_torch = pytest.mark.parametrize(
    "backend", [pytest.param("eager", marks=pytest.mark.slow), *BACKENDS[1:]], indirect=True
)
each_primitive = pytest.mark.parametrize("primitive", PRIMITIVES.values(), ids=PRIMITIVES)


def channels_last(tensor: Tensor) -> Tensor:
    """The same in that memory format, if it is a map."""
    return tensor.contiguous(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor


def strided(tensor: Tensor) -> Tensor:
    """The same as every second channel and column of a larger tensor, from its second row on."""
    larger = tensor.repeat_interleave(2, dim=1).repeat_interleave(2, dim=-1)
    return torch.cat((larger[..., :1, :], larger), dim=-2)[:, ::2, ..., 1:, ::2]


@each_primitive
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_equals_reference(primitive: Primitive, shape, backend: str) -> None:
    tensors = primitive.inputs(*shape)
    expected = primitive.slow(*tensors, groups=shape[2])
    assert_close(primitive.call(*tensors, groups=shape[2]), expected, torch.float64, backend)


@each_primitive
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_dtypes(primitive: Primitive, dtype: torch.dtype, backend: str) -> None:
    tensors = [tensor.to(dtype) for tensor in primitive.inputs(2, 2, 2, (5, 6), (10, 9))]
    expected = primitive.slow(*(tensor.double() for tensor in tensors), groups=2)
    result = primitive.call(*tensors, groups=2)
    assert_close(result, expected, primitive.result_dtype(dtype), backend)


@each_primitive
def test_inputs_may_differ_in_dtype(primitive: Primitive, backend: str) -> None:
    # Under autocast what a convolution made is bfloat16 while features stay float32.
    first, *rest = primitive.inputs(1, 2, 2, (4, 4), (8, 8))
    tensors = [first.float(), *(tensor.bfloat16() for tensor in rest)]
    expected = primitive.slow(*(tensor.double() for tensor in tensors), groups=2)
    assert_close(primitive.call(*tensors, groups=2), expected, torch.float32, backend)


@each_primitive
@pytest.mark.parametrize("out", [(8, 10), (7, 9)], ids=str)
def test_memory_formats(primitive: Primitive, out: Size) -> None:
    tensors = primitive.inputs(2, 2, 2, (4, 5), out)
    expected = primitive.call(*tensors, groups=2)
    assert expected.is_contiguous()

    result = primitive.call(*map(channels_last, tensors), groups=2)
    if primitive is PRIMITIVES["attention"]:
        torch.testing.assert_close(result, expected, rtol=0, atol=1e-14)
    else:
        assert torch.equal(result, expected)
    if not primitive.logits:
        assert result.is_contiguous(memory_format=torch.channels_last)

    assert torch.equal(primitive.call(*map(strided, tensors), groups=2), expected)


@each_primitive
def test_empty_batch(primitive: Primitive) -> None:
    tensors = [tensor.requires_grad_() for tensor in primitive.inputs(0, 2, 2, (3, 3), (6, 6))]
    out = primitive.call(*tensors, groups=2)
    out.sum().backward()
    assert out.shape == ((0, 2, 9, 6, 6) if primitive.logits else (0, 4, 6, 6))
    assert all(tensor.grad.shape == tensor.shape for tensor in tensors)


@each_primitive
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_gradcheck(primitive: Primitive, shape) -> None:
    tensors = [tensor.requires_grad_() for tensor in primitive.smooth(*shape)]
    assert torch.autograd.gradcheck(lambda *t: primitive.call(*t, groups=shape[2]), tensors)


@each_primitive
def test_gradients_equal_reference(primitive: Primitive) -> None:
    tensors = [tensor.requires_grad_() for tensor in primitive.inputs(1, 2, 2, (3, 4), (5, 8))]
    theirs_out = primitive.slow(*tensors, groups=2)
    cotangent = torch.randn_like(theirs_out)
    ours = torch.autograd.grad(primitive.call(*tensors, groups=2), tensors, cotangent)
    theirs = torch.autograd.grad(theirs_out, tensors, cotangent)
    for our, their in zip(ours, theirs):
        torch.testing.assert_close(our, their, rtol=0, atol=1e-10)


@each_primitive
def test_each_gradient_alone(primitive: Primitive) -> None:
    tensors = primitive.inputs(1, 2, 1, (3, 4), (6, 8))
    together = [tensor.clone().requires_grad_() for tensor in tensors]
    primitive.call(*together, groups=1).square().sum().backward()
    for place, tensor in enumerate(tensors):
        alone = tensor.clone().requires_grad_()
        one = (*tensors[:place], alone, *tensors[place + 1 :])
        primitive.call(*one, groups=1).square().sum().backward()
        torch.testing.assert_close(alone.grad, together[place].grad)


@each_primitive
@slow_in_plain_torch
@pytest.mark.usefixtures("fresh_dynamo")
def test_compiles_to_one_graph(primitive: Primitive) -> None:
    compiled = torch.compile(primitive.call, fullgraph=True, backend="aot_eager")
    # From the second on with symbolic sizes.
    for size, out in (((4, 5), (8, 10)), ((6, 7), (12, 14)), ((4, 5), (7, 9)), ((4, 5), (4, 10))):
        tensors = [tensor.requires_grad_() for tensor in primitive.inputs(2, 2, 2, size, out)]
        result = compiled(*tensors, groups=2)
        expected = primitive.call(*tensors, groups=2)
        torch.testing.assert_close(result, expected)
        ours = torch.autograd.grad(result.square().sum(), tensors)
        theirs = torch.autograd.grad(expected.square().sum(), tensors)
        torch.testing.assert_close(ours, theirs)


@each_primitive
@pytest.mark.parametrize("backend", BACKENDS, indirect=True)  # Triton: backends/gpu/test_fuzz.py
@given(data=st.data())
def test_property_any_shape(primitive: Primitive, backend: str, data: st.DataObject) -> None:
    groups = data.draw(st.integers(1, 3), "groups")
    small = st.integers(1, 5)
    size = (data.draw(small, "H"), data.draw(small, "W"))
    out = (data.draw(st.integers(1, 9), "H'"), data.draw(st.integers(1, 9), "W'"))
    dtype = data.draw(st.sampled_from(DTYPES), "dtype")
    torch.manual_seed(data.draw(st.integers(0, 2**16), "seed"))
    batch, channels = data.draw(st.integers(0, 2), "B"), data.draw(st.integers(1, 3), "C/G")
    tensors = [t.to(dtype) for t in primitive.inputs(batch, channels, groups, size, out)]
    if data.draw(st.booleans(), "channels_last"):
        tensors = [channels_last(tensor) for tensor in tensors]
    if data.draw(st.booleans(), "strided"):
        tensors = [tensor.repeat_interleave(2, dim=-1)[..., ::2] for tensor in tensors]
    expected = primitive.slow(*(tensor.double() for tensor in tensors), groups=groups)
    result = primitive.call(*tensors, groups=groups)
    assert result.dtype == primitive.result_dtype(dtype)
    atol = primitive.roundings * ATOL[backend][result.dtype]
    torch.testing.assert_close(result.double(), expected, rtol=0, atol=atol)


# What the primitives mean.


def test_offset_zero_is_bilinear(backend: str) -> None:
    x = torch.randn(2, 4, 5, 7, dtype=torch.float64)
    for size in ((10, 14), (13, 8), (5, 7)):
        out = functional.point_sample(x, x.new_zeros(2, 4, *size))
        expected = F.interpolate(x, size, mode="bilinear", align_corners=False)
        assert_close(out, expected, torch.float64, backend)


def test_offset_zero_from_nearest_start_is_nearest(backend: str) -> None:
    x = torch.randn(2, 4, 5, 7, dtype=torch.float64)
    out = functional.point_sample(x, x.new_zeros(2, 4, 15, 21), start="nearest")
    assert_close(out, F.interpolate(x, (15, 21), mode="nearest"), torch.float64, backend)


def test_offset_is_x_then_y_in_pixels_right_and_down() -> None:
    x = torch.arange(20.0, dtype=torch.float64).view(1, 1, 4, 5)
    offset = torch.zeros(1, 2, 4, 5, dtype=torch.float64)
    offset[:, 0] = 1
    right = functional.point_sample(x, offset)
    assert torch.allclose(right[..., :-1], x[..., 1:])
    assert torch.allclose(right[..., -1], x[..., -1])  # clamped to the border
    down = functional.point_sample(x, offset.flip(1))
    assert torch.allclose(down[..., :-1, :], x[..., 1:, :])


def test_clamped_samples_have_no_gradient_to_the_offset() -> None:
    x = torch.randn(1, 2, 4, 4, dtype=torch.float64)
    offset = torch.full((1, 2, 4, 4), -9.0, dtype=torch.float64, requires_grad=True)
    functional.point_sample(x, offset).sum().backward()
    assert torch.equal(offset.grad, torch.zeros_like(offset))


def test_coordinates_are_float32_for_low_precision_input(backend: str) -> None:
    # A ramp 256 wide: bfloat16 coordinates would be wrong by a pixel at its right end.
    ramp = torch.linspace(0, 1, 256).expand(1, 1, 2, 256).bfloat16()
    out = functional.point_sample(ramp, torch.zeros(1, 2, 4, 512, dtype=torch.bfloat16))
    exact = F.interpolate(ramp.double(), (4, 512), mode="bilinear", align_corners=False)
    rounding = 2**-8 if backend == "triton" else 2**-9  # below 1; Triton's interpreter truncates
    assert float((out.double() - exact).abs().max()) <= rounding


def test_one_hot_centre_weight_is_nearest(backend: str) -> None:
    x = torch.randn(1, 4, 3, 4, dtype=torch.float64)
    weight = x.new_zeros(1, 2, 25, 6, 8)
    weight[:, :, 12] = 1
    assert_close(
        functional.reassemble(x, weight),
        F.interpolate(x, (6, 8), mode="nearest"),
        torch.float64,
        backend,
    )


def test_uniform_weight_is_a_box_filter_with_zeros_around(backend: str) -> None:
    x = torch.randn(1, 4, 5, 6, dtype=torch.float64)
    weight = x.new_full((1, 1, 9, 10, 12), 1 / 9)
    box = F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=True)
    expected = F.interpolate(box, (10, 12), mode="nearest")
    assert_close(functional.reassemble(x, weight), expected, torch.float64, backend)


def test_groups_are_contiguous_blocks_of_channels() -> None:
    x = torch.randn(1, 6, 4, 4, dtype=torch.float64)
    _, offset = point_sample_inputs(1, 2, 3, (4, 4), (8, 8))
    whole = functional.point_sample(x, offset)
    for g in range(3):
        alone = functional.point_sample(x[:, 2 * g : 2 * g + 2], offset[:, [g, 3 + g]])
        assert torch.equal(whole[:, 2 * g : 2 * g + 2], alone)


def test_tolerances_grow_with_the_dtype_and_are_no_looser_for_the_kernels() -> None:
    for row in ATOL.values():
        assert sorted(row.values()) == list(row.values())
    for name in ("cpu", "triton"):
        assert all(ATOL[name][dtype] <= ATOL["eager"][dtype] for dtype in DTYPES)
