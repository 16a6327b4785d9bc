"""Bring tensors into the layouts that the CPU kernels accept."""

from __future__ import annotations

import torch
from torch import Tensor

from dysample.layout import format_of


def dense(x: Tensor) -> tuple[Tensor, bool]:
    """Return `x` as a dense tensor, and whether its channels are innermost."""
    kind = format_of(x)
    return x.contiguous(memory_format=kind), kind == torch.channels_last


def like_field(field: Tensor, dtype: torch.dtype, wanted: bool) -> tuple[Tensor, Tensor | None]:
    """Return a field and, if its gradient is requested, zeros with the same strides."""
    if not wanted:
        return field, None
    zeros = torch.zeros_like(field, dtype=dtype)
    if zeros.stride() != field.stride():  # it overlaps itself or has gaps
        field = field.contiguous()
        zeros = torch.zeros_like(field, dtype=dtype)
    return field, zeros
