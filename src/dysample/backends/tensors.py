"""Bring tensors into the layouts that the fused kernels accept."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from dysample.layout import compute_dtype, format_of


def dense(x: Tensor) -> tuple[Tensor, bool]:
    """Return `x` as a dense tensor, and whether its channels are innermost."""
    kind = format_of(x)
    return x.contiguous(memory_format=kind), kind == torch.channels_last


def like_field(
    field: Tensor,
    dtype: torch.dtype,
    wanted: bool,
    make: Callable[..., Tensor] = torch.zeros_like,
) -> tuple[Tensor, Tensor | None]:
    """Return a field and, if its gradient is requested, a tensor with the same strides.

    Args:
        field: of any strides.
        dtype: of the gradient.
        wanted: whether there is one.
        make: what makes it, zeros if nothing else is given.
    """
    if not wanted:
        return field, None
    grad = make(field, dtype=dtype)
    if grad.stride() != field.stride():  # it overlaps itself or has gaps
        field = field.contiguous()
        grad = make(field, dtype=dtype)
    return field, grad


def alike(query: Tensor, key: Tensor) -> tuple[Tensor, Tensor, bool]:
    """Return both in one dtype and layout, and whether their channels are innermost."""
    if query.dtype != key.dtype:
        query, key = query.to(compute_dtype(query)), key.to(compute_dtype(query))
    query, last = dense(query)
    kind = torch.channels_last if last else torch.contiguous_format
    return query, key.contiguous(memory_format=kind), last
