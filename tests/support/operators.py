"""Calls of every torch operator of the package, for the testers of the family."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor

from support.tolerances import BACKENDS

needs_kernels = pytest.mark.skipif("cpu" not in BACKENDS, reason="the kernels are not compiled")
F16, BF16, F32, F64 = torch.float16, torch.bfloat16, torch.float32, torch.float64
Size = tuple[int, int]


@dataclass(frozen=True)
class Call:
    """An operator and its arguments; the first `mapped` of them have a batch."""

    operator: Any
    arguments: tuple[Any, ...]
    mapped: int

    def __call__(self) -> Any:
        return self.operator(*self.arguments)

    def requiring_grad(self) -> Call:
        """The same, whose tensors all require a gradient."""
        fresh = (
            a.detach().clone().requires_grad_() if isinstance(a, Tensor) else a
            for a in self.arguments
        )
        return Call(self.operator, tuple(fresh), self.mapped)


def tensor(*shape: int, dtype: torch.dtype = F32, last: bool = False) -> Tensor:
    value = torch.randn(*shape).to(dtype)
    return value.contiguous(memory_format=torch.channels_last) if last else value


def point_sample(
    dtype: torch.dtype = F32,
    of_field: torch.dtype | None = None,
    last: bool = False,
    scale: int = 1,
    out: Size = (6, 8),
    from_centre: bool = False,
) -> Call:
    height, width = out if scale == 1 else (3, 4)
    x = tensor(2, 6, 3, 4, dtype=dtype, last=last)
    field = tensor(2, 4 * scale**2, height, width, dtype=of_field or dtype)
    operator = torch.ops.dysample.point_sample.default
    return Call(operator, (x, field, scale, *out, from_centre), 2)


def point_sample_backward(to_x: bool = True, to_field: bool = True, **options: Any) -> Call:
    x, field, scale, *out, from_centre = point_sample(**options).arguments
    high = tensor(*x.shape[:2], *out, dtype=x.dtype, last=options.get("last", False))
    operator = torch.ops.dysample.point_sample_backward.default
    return Call(operator, (high, x, field, scale, from_centre, to_x, to_field), 3)


def reassemble(
    dtype: torch.dtype = F32,
    of_field: torch.dtype | None = None,
    last: bool = False,
    scale: int = 1,
    out: Size = (6, 8),
    softmax: bool = False,
) -> Call:
    height, width = out if scale == 1 else (3, 4)
    x = tensor(2, 6, 3, 4, dtype=dtype, last=last)
    field = tensor(2, 2 * 9 * scale**2, height, width, dtype=of_field or dtype)
    operator = torch.ops.dysample.reassemble.default
    return Call(operator, (x, field, 3, scale, *out, softmax), 2)


def reassemble_backward(to_x: bool = True, to_field: bool = True, **options: Any) -> Call:
    x, field, kernel, scale, *out, softmax = reassemble(**options).arguments
    high = tensor(*x.shape[:2], *out, dtype=x.dtype, last=options.get("last", False))
    operator = torch.ops.dysample.reassemble_backward.default
    return Call(operator, (high, x, field, kernel, scale, softmax, to_x, to_field), 3)


def affinity(
    dtype: torch.dtype = F32, of_key: torch.dtype | None = None, last: bool = False, kernel: int = 3
) -> Call:
    query = tensor(2, 6, 7, 8, dtype=dtype, last=last)
    key = tensor(2, 6, 3, 4, dtype=of_key or dtype, last=last)
    return Call(torch.ops.dysample.affinity.default, (query, key, kernel, 2), 2)


def affinity_backward(to_query: bool = True, to_key: bool = True, **options: Any) -> Call:
    query, key, kernel, groups = affinity(**options).arguments
    logits = torch.promote_types(query.dtype, F32)
    high = tensor(2, groups * kernel**2, *query.shape[2:], dtype=logits)
    operator = torch.ops.dysample.affinity_backward.default
    return Call(operator, (high, query, key, kernel, groups, to_query, to_key), 3)


def point_attention(
    dtype: torch.dtype = F32,
    of_others: torch.dtype | None = None,
    last: bool = False,
    points: int = 3,
    scale: int = 1,
    out: Size = (6, 8),
) -> Call:
    others = of_others or dtype
    height, width = out if scale == 1 else (3, 4)
    x = tensor(2, 6, 3, 4, dtype=dtype, last=last)
    query, key = tensor(2, 4, *out, dtype=others, last=last), tensor(2, 4, 3, 4, dtype=others)
    field = tensor(2, 4 * points * scale**2, height, width, dtype=others, last=last)
    operator = torch.ops.dysample.point_attention.default
    return Call(operator, (x, query, key, field, scale, 2), 4)


def point_attention_backward(
    to_x: bool = True,
    to_query: bool = True,
    to_key: bool = True,
    to_field: bool = True,
    **options: Any,
) -> Call:
    forward = point_attention(**options)
    *tensors, scale, groups = forward.arguments
    out, weights = forward()
    tensors = [torch.randn_like(out), torch.randn_like(weights), *tensors, weights]
    operator = torch.ops.dysample.point_attention_backward.default
    return Call(operator, (*tensors, scale, groups, to_x, to_query, to_key, to_field), 7)


def offset_field(
    dtype: torch.dtype = F32,
    of_weight: torch.dtype | None = None,
    last: bool = False,
    bias: bool = True,
    scope: bool = True,
    scope_bias: bool = False,
) -> Call:
    x, weights = tensor(2, 6, 3, 4, dtype=dtype, last=last), of_weight or dtype

    def parameter(wanted: bool, *shape: int) -> Tensor | None:
        return tensor(*shape, dtype=weights) if wanted else None

    arguments = (
        x,
        tensor(8, 6, 1, 1, dtype=weights),
        parameter(bias, 8),
        parameter(scope, 8, 6, 1, 1),
        parameter(scope_bias, 8),
        0.25,
        True,
    )
    return Call(torch.ops.dysample.offset_field.default, arguments, 1)


def case(builder: Any, **options: Any) -> Any:
    name = "-".join(f"{k}={str(v).removeprefix('torch.')}" for k, v in options.items())
    return pytest.param(builder, options, id=f"{builder.__name__}-{name}")


FORWARD = [
    case(point_sample),
    case(point_sample, dtype=F64, last=True, scale=2, out=(5, 9)),
    case(point_sample, dtype=BF16, scale=3, out=(9, 12), from_centre=True),
    case(point_sample, dtype=F16, of_field=F32, last=True),
    case(reassemble),
    case(reassemble, dtype=F64, last=True, scale=2, out=(6, 8), softmax=True),
    case(reassemble, dtype=BF16, scale=3, out=(7, 13), softmax=True),
    case(reassemble, dtype=F16, of_field=F32, last=True),
    case(affinity),
    case(affinity, dtype=F64, last=True, kernel=5),
    case(affinity, dtype=BF16, kernel=1),
    case(affinity, dtype=F32, of_key=F16),
    case(point_attention),
    case(point_attention, dtype=F64, last=True, scale=2, out=(5, 9)),
    case(point_attention, dtype=BF16, points=1),
    case(point_attention, dtype=F16, of_others=F32, last=True),
    case(offset_field),
    case(offset_field, dtype=F64, last=True, scope_bias=True),
    case(offset_field, dtype=BF16, of_weight=F32, bias=False),
    case(offset_field, dtype=F16, last=True, scope=False),
]
BACKWARD = [
    case(point_sample_backward),
    case(point_sample_backward, dtype=F64, last=True, scale=2, out=(5, 9), to_x=False),
    case(point_sample_backward, dtype=BF16, scale=3, out=(9, 12), from_centre=True, to_field=False),
    case(reassemble_backward, softmax=True),
    case(reassemble_backward, dtype=F64, last=True, scale=2, out=(7, 8), to_x=False),
    case(reassemble_backward, dtype=F16, of_field=F32, scale=3, out=(9, 12), to_field=False),
    case(affinity_backward),
    case(affinity_backward, dtype=F64, last=True, to_query=False),
    case(affinity_backward, dtype=BF16, kernel=5, to_key=False),
    case(point_attention_backward),
    case(point_attention_backward, dtype=F64, last=True, scale=2, out=(5, 9), to_x=False),
    case(point_attention_backward, dtype=BF16, scale=2, to_query=False, to_key=False),
    case(point_attention_backward, to_query=False, to_key=False, to_field=False),
]
each_forward = pytest.mark.parametrize(("builder", "options"), FORWARD)
each_backward = pytest.mark.parametrize(("builder", "options"), BACKWARD)
each_call = pytest.mark.parametrize(("builder", "options"), FORWARD + BACKWARD)
