"""Dtype and memory format of results, decided in one place."""

from __future__ import annotations

import torch
from torch import Tensor


def compute_dtype(x: Tensor) -> torch.dtype:
    """Dtype of coordinates and sums: float64 for float64 input, otherwise float32.

    The 8 bits of bfloat16 cannot hold sub-pixel positions on a map 256 pixels wide.
    """
    return torch.float64 if x.dtype == torch.float64 else torch.float32


def format_of(x: Tensor) -> torch.memory_format:
    """Memory format of results: channels_last only if `x` is contiguous in that format alone."""
    plain = x.is_contiguous()
    if not plain and x.is_contiguous(memory_format=torch.channels_last):
        return torch.channels_last
    return torch.contiguous_format


def like_input(out: Tensor, x: Tensor) -> Tensor:
    """Give the result the dtype of `x`, and channels_last strides if `x` has them."""
    return out.to(x.dtype).contiguous(memory_format=format_of(x))


def empty_like_input(
    x: Tensor, shape: tuple[int, int, int, int], dtype: torch.dtype | None = None
) -> Tensor:
    """An unwritten result with the memory format of `x`, and its dtype if none is given."""
    return torch.empty(shape, dtype=dtype or x.dtype, device=x.device, memory_format=format_of(x))
