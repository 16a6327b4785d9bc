"""The kernels on random sizes, strides, dtypes and values, held to plain torch in float64.

`make sanitize` runs this file on kernels that report every access out of bounds.
"""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from dysample import ops
from dysample.layout import compute_dtype
from support.operators import needs_kernels
from support.random_calls import (
    Draw,
    assert_near,
    both,
    check_affinity,
    check_point_sample,
    check_reassemble,
)

pytestmark = needs_kernels


@given(st.data())
def test_point_sample(data: st.DataObject) -> None:
    check_point_sample(Draw(data), "cpu")


@given(st.data())
def test_reassemble(data: st.DataObject) -> None:
    check_reassemble(Draw(data), "cpu")


@given(st.data())
def test_affinity(data: st.DataObject) -> None:
    check_affinity(Draw(data), "cpu")


@given(st.data())
def test_offset_field(data: st.DataObject) -> None:
    draw = Draw(data)
    C, planes = draw(st.integers(1, 70), "C"), draw(st.integers(1, 40), "O")
    B, size = draw(st.integers(0, 2), "B"), draw(draw.size, "(H, W)")
    x = draw.tensor("x", B, C, *size)
    there = [draw(st.booleans(), name) for name in ("bias", "scope", "scope bias")]
    weight, scope = (draw.tensor("weight", planes, C, 1, 1, spread=C**-0.5) for _ in range(2))
    biases = [draw.tensor("bias", 1, planes, 1, 1).view(-1) for _ in range(2)]
    tensors = [x, weight]
    tensors += [biases[0]] * there[0] + [scope] * there[1] + [biases[1]] * (there[1] and there[2])

    def function(x: Tensor, weight: Tensor, *rest: Tensor) -> Tensor:
        rest_of = iter(rest)
        bias, scope = (next(rest_of) if one else None for one in there[:2])
        scope_bias = next(rest_of, None)
        return ops.offset_field(x, weight, bias, scope, scope_bias, 0.25)

    high = torch.randn(B, planes, *size, generator=draw.source).to(compute_dtype(x))
    (ours, grads), (exact, exact_grads) = both(function, tensors, high, "cpu")
    most = float(x.abs().max()) if x.numel() else 0.0
    assert_near(ours, exact, 4 + 4 * most, 32, x)
    for gradient, exact_gradient in zip(grads, exact_grads):
        scale = float(exact_gradient.abs().max()) if exact_gradient.numel() else 0.0
        assert_near(gradient, exact_gradient, 1 + scale, 256, x)
