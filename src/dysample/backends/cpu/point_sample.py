"""`point_sample` and DySample's offset field on the CPU kernels."""

from __future__ import annotations

import torch
from torch import Tensor

from dysample.backends.cpu.library import DTYPES, call, integers
from dysample.backends.tensors import dense, like_field
from dysample.layout import compute_dtype, empty_like_input, format_of


def point_sample(
    x: Tensor, field: Tensor, scale: int, size: tuple[int, int], from_centre: bool
) -> Tensor:
    """See `dysample.ops.point_sample`."""
    x, last = dense(x)
    B, C, H, W = x.shape
    out = empty_like_input(x, (B, C, *size))
    if out.numel() > 0:
        call(
            "dysample_point_sample", x, DTYPES[x.dtype], field, DTYPES[field.dtype], out,
            integers(B, C, H, W, field.shape[1] // (2 * scale**2), *size),
            integers(*field.stride(), *field.shape[2:], scale), last, from_centre,
        )  # fmt: skip
    return out


def point_sample_backward(
    high: Tensor, x: Tensor, field: Tensor, scale: int, from_centre: bool, wanted: tuple[bool, bool]
) -> tuple[Tensor | None, Tensor | None]:
    """Return the requested gradients of x and of the field."""
    x, last = dense(x)
    high = high.contiguous(memory_format=format_of(x))
    B, C, H, W = x.shape
    dtype = compute_dtype(x)
    field, to_field = like_field(field, dtype, wanted[1])
    to_x = torch.zeros_like(x, dtype=dtype) if wanted[0] else None
    if high.numel() > 0:
        call(
            "dysample_point_sample_backward", x, high, DTYPES[x.dtype], field,
            DTYPES[field.dtype], to_x, to_field,
            integers(B, C, H, W, field.shape[1] // (2 * scale**2), *high.shape[2:]),
            integers(*field.stride(), *field.shape[2:], scale), last, from_centre,
        )  # fmt: skip
    return (
        None if to_x is None else to_x.to(x.dtype),
        None if to_field is None else to_field.to(field.dtype),
    )


def offset_field(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    scope_weight: Tensor | None,
    scope_bias: Tensor | None,
    factor: float,
    keep: bool,
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Return the field and, if requested, the convolution and its factor; see `dysample.ops`."""
    x, last = dense(x)
    B, C, H, W = x.shape
    dtype, planes = compute_dtype(x), weight.shape[0]
    shape = (B, planes, H, W)
    field = empty_like_input(x, shape, dtype)
    dynamic = keep and scope_weight is not None
    linear = empty_like_input(x, shape, dtype) if dynamic else None
    gate = empty_like_input(x, shape, dtype) if dynamic else None
    parameters = [
        None if p is None else p.to(dtype).contiguous()
        for p in (weight, bias, scope_weight, scope_bias)
    ]
    if field.numel() > 0:
        call(
            "dysample_offset_field", x, DTYPES[x.dtype], *parameters, factor, field, linear, gate,
            integers(B, C, H * W, planes), last,
        )  # fmt: skip
    return field, linear, gate
