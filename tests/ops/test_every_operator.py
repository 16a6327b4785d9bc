"""One tester for the family: what torch expects of every operator."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from dysample import functional, ops
from support.operators import (
    each_backward,
    each_call,
    each_forward,
    needs_kernels,
    offset_field,
)

pytestmark = [needs_kernels, pytest.mark.usefixtures("kernels")]


@each_forward
# opcheck itself looks at the gradients of its copies.
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
@pytest.mark.usefixtures("fresh_dynamo")
def test_forward_passes_opcheck(builder, options) -> None:
    call = builder(**options).requiring_grad()
    torch.library.opcheck(call.operator, call.arguments)


@each_backward
@pytest.mark.usefixtures("fresh_dynamo")
def test_backward_passes_opcheck(builder, options) -> None:
    call = builder(**options)
    torch.library.opcheck(call.operator, call.arguments)


@each_call
@pytest.mark.usefixtures("fresh_dynamo")
def test_opcheck_of_expanded_and_sliced_tensors(builder, options) -> None:
    call = builder(**options)
    expanded = [t[:1].expand(t.shape) for t in call.arguments[: call.mapped]]
    sliced = [t.repeat_interleave(2, dim=-1)[..., ::2] for t in call.arguments[: call.mapped]]
    last = [t.transpose(1, 3).contiguous().transpose(1, 3) for t in call.arguments[: call.mapped]]
    for tensors in (expanded, sliced, last):
        arguments = (*tensors, *call.arguments[call.mapped :])
        torch.library.opcheck(call.operator, arguments, test_utils="test_faketensor")


def results(value: Tensor | tuple[Tensor, ...]) -> list[Tensor]:
    return [value] if isinstance(value, Tensor) else list(value)


@each_call
def test_vmap_equals_a_loop(builder, options, kernels: str) -> None:
    # Where samples lie far from home, Triton's sums have any order.
    atol = 1e-14 if kernels == "auto" else 1e-6
    call = builder(**options)
    rest = call.arguments[call.mapped :]
    moved = [torch.stack((t, t.flip(0), -t), dim=1) for t in call.arguments[: call.mapped]]
    for axes in ([1] * call.mapped, [1] + [None] * (call.mapped - 1)):
        tensors = [t if axis else t[:, 0] for t, axis in zip(moved, axes)]

        def run(*mapped: Tensor):
            return tuple(results(call.operator(*mapped, *rest)))

        # What nobody wants is not mapped and stays as it is.
        outs = run(*(t[:, 0] if axis else t for t, axis in zip(tensors, axes)))
        kept = [out.dim() > 1 for out in outs]
        ours = torch.vmap(run, in_dims=tuple(axes), out_dims=tuple(0 if k else None for k in kept))(
            *tensors
        )
        for i in range(3):
            alone = run(*(t[:, i] if axis else t for t, axis in zip(tensors, axes)))
            for our, expected, wanted in zip(ours, alone, kept):
                torch.testing.assert_close(our[i] if wanted else our, expected, rtol=0, atol=atol)


def test_vmap_over_empty_batches() -> None:
    x, offset = torch.randn(3, 0, 4, 5, 6), torch.randn(3, 0, 2, 5, 6)
    assert torch.vmap(functional.point_sample)(x, offset).shape == (3, 0, 4, 5, 6)


def test_vmap_over_models_weights() -> None:
    # Ensembles: every image has weights of its own.
    call = offset_field(scope_bias=True, dtype=torch.float64)
    mapped = [torch.stack((t, 2 * t, -t)) for t in call.arguments[:5]]
    ours = torch.vmap(lambda *t: call.operator(*t, 0.25, True)[0])(*mapped)
    for i in range(3):
        expected = call.operator(*(t[i] for t in mapped), 0.25, True)[0]
        assert torch.equal(ours[i], expected)


@each_forward
def test_gradients_of_many_cotangents_at_once(builder, options) -> None:
    call = builder(**options).requiring_grad()
    out = results(call())[0]
    inputs = [a for a in call.arguments if isinstance(a, Tensor)]
    cotangents = torch.randn(3, *out.shape).to(out.dtype)
    ours = torch.autograd.grad(out, inputs, cotangents, is_grads_batched=True, retain_graph=True)
    for i in range(3):
        alone = torch.autograd.grad(out, inputs, cotangents[i], retain_graph=True)
        for our, expected in zip(ours, alone):
            torch.testing.assert_close(our[i], expected)


def test_the_offset_field_takes_features_and_weights_of_different_dtypes() -> None:
    x, weight = torch.randn(1, 4, 3, 5).bfloat16(), torch.randn(8, 4, 1, 1)
    field = ops.offset_field(x, weight, None, None, None, 0.5)
    expected = 0.5 * torch.nn.functional.conv2d(x.double(), weight.double())
    assert field.dtype == torch.float32
    torch.testing.assert_close(field.double(), expected, rtol=0, atol=1e-5)
