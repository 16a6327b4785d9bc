"""Tensors as the CPU kernels take them."""

from __future__ import annotations

import torch
from torch import Tensor

from dysample.layout import format_of


def dense(x: Tensor) -> tuple[Tensor, bool]:
    """X without gaps, and whether its channels are innermost."""
    kind = format_of(x)
    return x.contiguous(memory_format=kind), kind == torch.channels_last


def like_field(field: Tensor, dtype: torch.dtype, wanted: bool) -> tuple[Tensor, Tensor | None]:
    """A field, and if its gradient is wanted, zeros that lie in memory as it does."""
    if not wanted:
        return field, None
    zeros = torch.zeros_like(field, dtype=dtype)
    if zeros.stride() != field.stride():  # it overlaps itself or has gaps
        field = field.contiguous()
        zeros = torch.zeros_like(field, dtype=dtype)
    return field, zeros
