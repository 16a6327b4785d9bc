"""The primitives as graphs for exporters: right at any size, no axis beyond four.

Nothing is written in place, no loop runs over a batch, and no branch hangs on a size, so that a
graph traced at one size is right at others. Bilinear samples come from one of two samplers with
the same numbers: `grid_sample`, or gathers alone for runtimes without it, or with a wrong one.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce

import torch
import torch.nn.functional as F
from torch import Tensor

from dysample.backends.samplers import Sampler
from dysample.geometry import nearest_index, pixel_shuffle, read_nearest, regular_position
from dysample.layout import compute_dtype, like_input


def point_sample(
    x: Tensor, field: Tensor, scale: int, size: tuple[int, int], start: str, sampler: Sampler
) -> Tensor:
    """See `dysample.ops.point_sample`."""
    B, C, H, W = x.shape
    dtype = compute_dtype(x)
    offset = read_nearest(pixel_shuffle(field, scale), size).to(dtype)
    G = offset.shape[1] // 2
    whole_y, part_y = regular_position(size[0], H, start, dtype, x.device)
    whole_x, part_x = regular_position(size[1], W, start, dtype, x.device)
    # The small numbers first: pixel indices near 1000 leave few bits for an offset.
    p_x = whole_x.to(dtype) + (part_x + offset[:, :G])
    p_y = whole_y.to(dtype).unsqueeze(-1) + (part_y.unsqueeze(-1) + offset[:, G:])
    out = sampler(
        x.to(dtype).reshape(B * G, C // G, H, W),
        p_x.reshape(B * G, *size),
        p_y.reshape(B * G, *size),
        border=True,
    )
    return like_input(out.reshape(B, C, *size), x)


def reassemble(
    x: Tensor, field: Tensor, kernel: int, scale: int, size: tuple[int, int], softmax: bool
) -> Tensor:
    """See `dysample.ops.reassemble`."""
    B, C = x.shape[:2]
    taps, dtype = kernel**2, compute_dtype(x)
    spread = read_nearest(pixel_shuffle(field, scale), size).to(dtype)
    G = spread.shape[1] // taps
    weight = spread.reshape(B * G, taps, *size)
    if softmax:
        weight = weight.softmax(1)
    near = _neighbours(x.to(dtype), kernel, G, size)
    total = reduce(torch.add, (n * w for n, w in zip(near, weight.chunk(taps, dim=1))))
    return like_input(total.reshape(B, C, *size), x)


def affinity(query: Tensor, key: Tensor, kernel: int, groups: int) -> Tensor:
    """See `dysample.ops.affinity`."""
    B, C, Y, X = query.shape
    dtype = compute_dtype(query)
    high = query.to(dtype).reshape(B * groups, C // groups, Y, X)
    products = [(near * high).sum(1) for near in _neighbours(key.to(dtype), kernel, groups, (Y, X))]
    return torch.stack(products, dim=1).reshape(B, groups, kernel**2, Y, X)


def point_attention(
    x: Tensor,
    query: Tensor,
    key: Tensor,
    field: Tensor,
    scale: int,
    groups: int,
    sampler: Sampler,
) -> tuple[Tensor, Tensor]:
    """See `dysample.ops.point_attention`."""
    B, C, H, W = x.shape
    Y, X = query.shape[-2:]
    offset = read_nearest(pixel_shuffle(field, scale), (Y, X))
    N, P = B * groups, offset.shape[1] // (2 * groups)
    dtype = compute_dtype(x)
    row = nearest_index(Y, H, x.device).to(dtype).unsqueeze(-1)
    column = nearest_index(X, W, x.device).to(dtype)
    offsets = offset.to(dtype).reshape(N, 2 * P, Y, X)
    points = [(column + offsets[:, 2 * p], row + offsets[:, 2 * p + 1]) for p in range(P)]
    high = query.to(dtype).reshape(N, query.shape[1] // groups, Y, X)
    low = key.to(dtype).reshape(N, key.shape[1] // groups, H, W)
    value = x.to(dtype).reshape(N, C // groups, H, W)
    logits = [(high * sampler(low, *point, border=False)).sum(1) for point in points]
    weight = torch.stack(logits, dim=1).softmax(1)
    samples = (sampler(value, *point, border=False) for point in points)
    total = reduce(torch.add, (s * w for s, w in zip(samples, weight.chunk(P, dim=1))))
    return like_input(total.reshape(B, C, Y, X), x), weight.reshape(B, groups * P, Y, X)


def _neighbours(x: Tensor, kernel: int, groups: int, size: tuple[int, int]) -> Iterator[Tensor]:
    """For each tap the neighbours (B * G, C / G, H', W') of all output pixels, 0 outside."""
    B, C, H, W = x.shape
    r = (kernel - 1) // 2
    padded = F.pad(x.reshape(B * groups, C // groups, H, W), (r, r, r, r))
    rows, columns = nearest_index(size[0], H, x.device), nearest_index(size[1], W, x.device)
    shifted = [columns + dx for dx in range(kernel)]
    for dy in range(kernel):
        line = padded.index_select(-2, rows + dy)
        for column in shifted:
            yield line.index_select(-1, column)
