"""The primitives: one tester for the family, each backend held to the slow reference."""

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

# B, C, G, (H, W), (H', W')
SHAPES = [
    (2, 4, 2, (3, 4), (6, 8)),  # scale 2
    (1, 3, 3, (2, 5), (6, 15)),  # scale 3, a group a channel
    (1, 4, 1, (4, 3), (7, 5)),  # fractional, both axes different
    (1, 2, 1, (5, 4), (3, 2)),  # smaller than the input
    (1, 2, 2, (1, 1), (4, 3)),  # a single pixel
    (1, 2, 1, (1, 6), (2, 12)),  # a line
    (1, 2, 1, (3, 3), (3, 3)),  # scale 1
]
Size = tuple[int, int]


def point_sample_inputs(
    B: int, C: int, G: int, size: Size, out: Size, spread: float = 1.0
) -> tuple[Tensor, Tensor]:
    x = torch.randn(B, C, *size, dtype=torch.float64)
    return x, spread * torch.randn(B, 2 * G, *out, dtype=torch.float64)


def reassemble_inputs(
    B: int, C: int, G: int, size: Size, out: Size, kernel: int = 3
) -> tuple[Tensor, Tensor]:
    x = torch.randn(B, C, *size, dtype=torch.float64)
    return x, torch.randn(B, G, kernel**2, *out, dtype=torch.float64).softmax(2)


PRIMITIVES = [
    pytest.param(functional.point_sample, reference.point_sample, point_sample_inputs, id="point"),
    pytest.param(functional.reassemble, reference.reassemble, reassemble_inputs, id="reassemble"),
]
Primitive = Callable[[Tensor, Tensor], Tensor]
Inputs = Callable[..., tuple[Tensor, Tensor]]
pytestmark = pytest.mark.usefixtures("backend")
# Tracing every tap takes long; with the kernels it is one operator.
slow_in_plain_torch = pytest.mark.parametrize(
    "backend", [pytest.param("eager", marks=pytest.mark.slow), *BACKENDS[1:]], indirect=True
)
each_primitive = pytest.mark.parametrize(("primitive", "slow", "inputs"), PRIMITIVES)


def without_kinks(x: Tensor, offset: Tensor) -> Tensor:
    """Move samples off the pixel centres, where the gradient to the offset jumps."""
    return (offset * 2).round() / 2 + 0.1 + 0.01 * torch.rand_like(offset)


@each_primitive
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_equals_reference(
    primitive: Primitive, slow: Primitive, inputs: Inputs, shape, backend: str
) -> None:
    x, field = inputs(*shape)
    assert_close(primitive(x, field), slow(x, field), torch.float64, backend)


@each_primitive
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_dtypes(
    primitive: Primitive, slow: Primitive, inputs: Inputs, dtype: torch.dtype, backend: str
) -> None:
    x, field = inputs(2, 4, 2, (5, 6), (10, 9))
    x, field = x.to(dtype), field.to(dtype)
    assert_close(primitive(x, field), slow(x.double(), field.double()), dtype, backend)


@each_primitive
def test_field_may_have_another_dtype(
    primitive: Primitive, slow: Primitive, inputs: Inputs, backend: str
) -> None:
    # Under autocast the convolution's offsets are bfloat16 while features stay float32.
    x, field = inputs(1, 4, 2, (4, 4), (8, 8))
    x, field = x.float(), field.bfloat16()
    assert_close(primitive(x, field), slow(x.double(), field.double()), torch.float32, backend)


@each_primitive
@pytest.mark.parametrize("out", [(8, 10), (7, 9)], ids=str)
def test_memory_formats(primitive: Primitive, slow: Primitive, inputs: Inputs, out: Size) -> None:
    x, field = inputs(2, 4, 2, (4, 5), out)
    expected = primitive(x, field)
    assert expected.is_contiguous()

    last = primitive(x.contiguous(memory_format=torch.channels_last), field)
    assert torch.equal(last, expected)
    assert last.is_contiguous(memory_format=torch.channels_last)

    strided = torch.randn(2, 8, 9, 6, dtype=x.dtype)[:, ::2, 1::2, :5]
    strided.copy_(x)
    sliced = field.repeat_interleave(2, dim=-1)[..., ::2]
    assert torch.equal(primitive(strided, sliced), expected)


@each_primitive
def test_empty_batch(primitive: Primitive, slow: Primitive, inputs: Inputs) -> None:
    x, field = inputs(0, 4, 2, (3, 3), (6, 6))
    out = primitive(x.requires_grad_(), field)
    out.sum().backward()
    assert out.shape == (0, 4, 6, 6)
    assert x.grad is not None
    assert x.grad.shape == x.shape


@each_primitive
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_gradcheck(primitive: Primitive, slow: Primitive, inputs: Inputs, shape) -> None:
    x, field = inputs(*shape)
    if primitive is functional.point_sample:
        field = without_kinks(x, field)
    x.requires_grad_()
    field.requires_grad_()
    assert torch.autograd.gradcheck(primitive, (x, field))


@each_primitive
def test_gradients_equal_reference(primitive: Primitive, slow: Primitive, inputs: Inputs) -> None:
    x, field = inputs(1, 4, 2, (3, 4), (5, 8))
    x.requires_grad_()
    field.requires_grad_()
    cotangent = torch.randn(1, 4, 5, 8, dtype=torch.float64)
    ours = torch.autograd.grad((primitive(x, field) * cotangent).sum(), (x, field))
    theirs = torch.autograd.grad((slow(x, field) * cotangent).sum(), (x, field))
    for our, their in zip(ours, theirs):
        torch.testing.assert_close(our, their, rtol=0, atol=1e-10)


@each_primitive
@slow_in_plain_torch
@pytest.mark.usefixtures("fresh_dynamo")
def test_compiles_to_one_graph(primitive: Primitive, slow: Primitive, inputs: Inputs) -> None:
    compiled = torch.compile(primitive, fullgraph=True, backend="aot_eager")
    for size, out in (((4, 5), (8, 10)), ((6, 7), (12, 14)), ((4, 5), (7, 9))):
        x, field = inputs(2, 4, 2, size, out)
        x.requires_grad_()
        result = compiled(x, field)
        torch.testing.assert_close(result, primitive(x, field))
        result.sum().backward()


@each_primitive
@given(data=st.data())
def test_property_any_shape(
    primitive: Primitive, slow: Primitive, inputs: Inputs, backend: str, data: st.DataObject
) -> None:
    groups = data.draw(st.integers(1, 3), "groups")
    small = st.integers(1, 5)
    size = (data.draw(small, "H"), data.draw(small, "W"))
    out = (data.draw(st.integers(1, 9), "H'"), data.draw(st.integers(1, 9), "W'"))
    channels = groups * data.draw(st.integers(1, 2), "C/G")
    dtype = data.draw(st.sampled_from(DTYPES), "dtype")
    torch.manual_seed(data.draw(st.integers(0, 2**16), "seed"))
    x, field = inputs(data.draw(st.integers(0, 2), "B"), channels, groups, size, out)
    x, field = x.to(dtype), field.to(dtype)
    if data.draw(st.booleans(), "channels_last"):
        x = x.contiguous(memory_format=torch.channels_last)
    if data.draw(st.booleans(), "strided"):
        x = x.repeat_interleave(2, dim=-1)[..., ::2]
    assert_close(primitive(x, field), slow(x.double(), field.double()), dtype, backend)


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


def test_coordinates_are_float32_for_low_precision_input() -> None:
    # A ramp 256 wide: bfloat16 coordinates would be wrong by a pixel at its right end.
    ramp = torch.linspace(0, 1, 256).expand(1, 1, 2, 256).bfloat16()
    out = functional.point_sample(ramp, torch.zeros(1, 2, 4, 512, dtype=torch.bfloat16))
    exact = F.interpolate(ramp.double(), (4, 512), mode="bilinear", align_corners=False)
    assert float((out.double() - exact).abs().max()) <= 2**-9  # one rounding below 1


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
    _, offset = point_sample_inputs(1, 6, 3, (4, 4), (8, 8))
    whole = functional.point_sample(x, offset)
    for g in range(3):
        alone = functional.point_sample(x[:, 2 * g : 2 * g + 2], offset[:, [g, 3 + g]])
        assert torch.equal(whole[:, 2 * g : 2 * g + 2], alone)


def test_tolerances_grow_with_the_dtype_and_are_no_looser_for_the_kernels() -> None:
    for row in ATOL.values():
        assert sorted(row.values()) == list(row.values())
    assert all(ATOL["cpu"][dtype] <= ATOL["eager"][dtype] for dtype in DTYPES)
