"""Dtype and memory format of results, decided in one place."""

from __future__ import annotations

import torch
from torch import Tensor


def compute_dtype(x: Tensor) -> torch.dtype:
    """Dtype of coordinates and sums: float64 for float64 input, otherwise float32.

    A map 256 pixels wide has no room for sub-pixel positions in bfloat16 (8 bits).
    """
    return torch.float64 if x.dtype == torch.float64 else torch.float32


def like_input(out: Tensor, x: Tensor) -> Tensor:
    """Give the result the dtype of `x`, and channels_last strides if `x` has them."""
    out = out.to(x.dtype)
    plain = x.is_contiguous()
    if not plain and x.is_contiguous(memory_format=torch.channels_last):
        return out.contiguous(memory_format=torch.channels_last)
    return out.contiguous()
