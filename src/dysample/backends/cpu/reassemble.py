"""`reassemble` and `affinity` on the CPU kernels: one trilinear form and its derivatives."""

from __future__ import annotations

import torch
from torch import Tensor

from dysample.backends.cpu.library import DTYPES, call, integers
from dysample.backends.tensors import alike, dense, like_field
from dysample.layout import compute_dtype, empty_like_input, format_of


def reassemble(
    x: Tensor, field: Tensor, kernel: int, scale: int, size: tuple[int, int], softmax: bool
) -> Tensor:
    """See `dysample.ops.reassemble`."""
    x, last = dense(x)
    out = empty_like_input(x, (x.shape[0], x.shape[1], *size))
    if out.numel() > 0:
        call(
            "dysample_reassemble", x, DTYPES[x.dtype], field, DTYPES[field.dtype], out,
            *_sizes(x, size, field, kernel, scale), kernel, softmax, last,
        )  # fmt: skip
    return out


def reassemble_backward(
    high: Tensor,
    x: Tensor,
    field: Tensor,
    kernel: int,
    scale: int,
    softmax: bool,
    wanted: tuple[bool, bool],
) -> tuple[Tensor | None, Tensor | None]:
    """Return the requested gradients of x and of the field."""
    x, last = dense(x)
    high = high.contiguous(memory_format=format_of(x))
    field, to_field = like_field(field, compute_dtype(x), wanted[1])
    to_x = torch.zeros_like(x, dtype=compute_dtype(x)) if wanted[0] else None
    sizes = _sizes(x, high.shape[2:], field, kernel, scale)
    if to_x is not None and high.numel() > 0:
        call(
            "dysample_reassemble_backward", high, DTYPES[high.dtype], field, DTYPES[field.dtype],
            to_x, *sizes, kernel, softmax, last,
        )  # fmt: skip
    if to_field is not None and high.numel() > 0:
        call(
            "dysample_reassemble_backward_weight", high, x, DTYPES[x.dtype], field,
            DTYPES[field.dtype], to_field, *sizes, kernel, softmax, last,
        )  # fmt: skip
    return (
        None if to_x is None else to_x.to(x.dtype),
        None if to_field is None else to_field.to(field.dtype),
    )


def affinity(query: Tensor, key: Tensor, kernel: int, groups: int) -> Tensor:
    """See `dysample.ops.affinity`."""
    query, key, last = alike(query, key)
    B, C, H, W = key.shape
    Y, X = query.shape[2:]
    shape = (B, groups * kernel**2, Y, X)
    if C == 0:
        return query.new_zeros(shape, dtype=compute_dtype(query))
    out = query.new_empty(shape, dtype=compute_dtype(query))
    if out.numel() > 0:
        call(
            "dysample_affinity", query, key, DTYPES[query.dtype], out,
            integers(B, C, H, W, groups, Y, X), kernel, last,
        )  # fmt: skip
    return out


def affinity_backward(
    high: Tensor, query: Tensor, key: Tensor, kernel: int, groups: int, wanted: tuple[bool, bool]
) -> tuple[Tensor | None, Tensor | None]:
    """Return the requested gradients of the query and of the key.

    The gradient of the logits acts as the weights. Reassembling the key with it gives the gradient
    of the query; the backward pass of reassembly, applied to the query, gives that of the key.
    """
    dtypes = query.dtype, key.dtype
    query, key, _ = alike(query, key)
    size = (query.shape[2], query.shape[3])
    to_query = reassemble(key, high, kernel, 1, size, False) if wanted[0] else None
    to_key = None
    if wanted[1]:
        to_key, _ = reassemble_backward(query, key, high, kernel, 1, False, (True, False))
    return (
        None if to_query is None else to_query.to(dtypes[0]),
        None if to_key is None else to_key.to(dtypes[1]),
    )


def _sizes(
    x: Tensor, size: tuple[int, ...], field: Tensor, kernel: int, scale: int
) -> tuple[object, object]:
    groups = field.shape[1] // (kernel * scale) ** 2
    return (
        integers(*x.shape, groups, *size),
        integers(*field.stride(), *field.shape[2:], scale),
    )
