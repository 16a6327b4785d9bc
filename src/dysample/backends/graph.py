"""The primitives as graphs for exporters: right at any size, tensors of four axes.

Nothing is written in place, no loop runs over a batch, and no branch depends on a size unless the
graph is for that size alone. A graph traced at one size is therefore right at others. Bilinear
samples come from one of two samplers with the same numbers: `grid_sample`, or gathers alone for
runtimes without it, or with a wrong one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import reduce

import torch
import torch.nn.functional as F
from torch import Tensor

from dysample.backends.samplers import Sampler
from dysample.fixed import channel_sum, cut, fixed, from_slots, ratios, spread, to_slots
from dysample.geometry import nearest_index, pixel_shuffle, read_nearest, regular_position
from dysample.layout import compute_dtype, like_input


def point_sample(
    x: Tensor, field: Tensor, scale: int, size: tuple[int, int], start: str, sampler: Sampler
) -> Tensor:
    """See `dysample.ops.point_sample`."""
    H, W = x.shape[2:]
    dtype = compute_dtype(x)
    offset = read_nearest(pixel_shuffle(field, scale), size).to(dtype)
    G = offset.shape[1] // 2
    whole_y, part_y = regular_position(size[0], H, start, dtype, x.device)
    whole_x, part_x = regular_position(size[1], W, start, dtype, x.device)
    # The small numbers first: pixel indices near 1000 leave few bits for an offset.
    p_x = whole_x.to(dtype) + (part_x + offset[:, :G])
    p_y = whole_y.to(dtype).unsqueeze(-1) + (part_y.unsqueeze(-1) + offset[:, G:])

    def sampled(x: Tensor, p_x: Tensor, p_y: Tensor) -> Tensor:
        return sampler(p_x.squeeze(1), p_y.squeeze(1), (H, W), border=True)(x)

    return like_input(_by_group(sampled, G, x.to(dtype), p_x, p_y), x)


def reassemble(
    x: Tensor, field: Tensor, kernel: int, scale: int, size: tuple[int, int], softmax: bool
) -> Tensor:
    """See `dysample.ops.reassemble`."""
    taps, dtype = kernel**2, compute_dtype(x)
    weight = read_nearest(pixel_shuffle(field, scale), size).to(dtype)
    groups = weight.shape[1] // taps
    if taps == 1 and groups == x.shape[1] and not softmax:
        groups = 1  # IndexNet multiplies channel by channel, for any number of channels

    def summed(x: Tensor, weight: Tensor) -> Tensor:
        low = (x.shape[2], x.shape[3])
        if softmax:
            weight = weight.softmax(1)
        weights = to_slots(weight, low).chunk(taps, dim=1)
        near = _neighbours(x, kernel, size)
        return from_slots(reduce(torch.add, (n * w for n, w in zip(near, weights))), low, size)

    return like_input(_by_group(summed, groups, x.to(dtype), weight), x)


def affinity(query: Tensor, key: Tensor, kernel: int, groups: int) -> Tensor:
    """See `dysample.functional.affinity`; groups and taps are one axis."""
    size, dtype = (query.shape[2], query.shape[3]), compute_dtype(query)

    def products(query: Tensor, key: Tensor) -> Tensor:
        low = (key.shape[2], key.shape[3])
        logits = _inner_products(_neighbours(key, kernel, size), to_slots(query, low))
        return from_slots(logits, low, size)

    return _by_group(products, groups, query.to(dtype), key.to(dtype))


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
    B, _, H, W = x.shape
    Y, X = query.shape[-2:]
    offset = read_nearest(pixel_shuffle(field, scale), (Y, X))
    P = offset.shape[1] // (2 * groups)
    dtype = compute_dtype(x)
    row = nearest_index(Y, H, x.device).to(dtype).unsqueeze(-1)
    column = nearest_index(X, W, x.device).to(dtype)
    weights: list[Tensor] = []

    def attended(x: Tensor, query: Tensor, key: Tensor, offset: Tensor) -> Tensor:
        planes = [plane.squeeze(1) for plane in offset.chunk(2 * P, dim=1)]
        points = [
            sampler(column + p_x, row + p_y, (H, W), border=False)
            for p_x, p_y in zip(planes[::2], planes[1::2])
        ]
        weight = _inner_products((read(key) for read in points), query).softmax(1)
        weights.append(weight)
        samples = (read(x) for read in points)
        return reduce(torch.add, (s * w for s, w in zip(samples, weight.chunk(P, dim=1))))

    parts = (x.to(dtype), query.to(dtype), key.to(dtype), offset.to(dtype))
    out = like_input(_by_group(attended, groups, *parts), x)
    weight = weights[0] if len(weights) == 1 else torch.cat(weights, dim=1)
    return out, weight.reshape(B, groups * P, Y, X)


def _by_group(run: Callable[..., Tensor], groups: int, *maps: Tensor) -> Tensor:
    """Apply a function to each group of channels: (B, G n, ., .) to (B, G m, ., .).

    Groups become images of the batch. Runtimes for one image at a time have no batch axis: for them
    the groups run one after the other.
    """
    if groups == 1:
        return run(*maps)
    B = maps[0].shape[0]
    if fixed(B) and B == 1:
        return torch.cat([run(*parts) for parts in zip(*(m.chunk(groups, 1) for m in maps))], 1)
    folded = (m.reshape(B * groups, m.shape[1] // groups, *m.shape[2:]) for m in maps)
    out = run(*folded)
    return out.reshape(B, groups * out.shape[1], *out.shape[2:])


def _inner_products(keys: Iterable[Tensor], query: Tensor) -> Tensor:
    """Return the inner product of each key (B, C, Y, X) with the query: (B, K, Y, X)."""
    return torch.cat([channel_sum(key * query) for key in keys], dim=1)


def _neighbours(x: Tensor, kernel: int, size: tuple[int, int]) -> Iterator[Tensor]:
    """For each tap the neighbours (B, C, H', W') of all output pixels, 0 outside.

    Where sizes are fixed, of all slots of `dysample.fixed`: (B, C, n H, m W).
    """
    H, W = x.shape[2:]
    r = (kernel - 1) // 2
    padded = F.pad(x, (r, r, r, r))
    if fixed(H, W, *size):
        n, m = ratios(size, (H, W))
        wide = spread(padded, (n, m))
        for dy in range(kernel):
            line = cut(wide, -2, n * dy, n * (dy + H))
            for dx in range(kernel):
                yield cut(line, -1, m * dx, m * (dx + W))
        return
    rows, columns = nearest_index(size[0], H, x.device), nearest_index(size[1], W, x.device)
    shifted = [columns + dx for dx in range(kernel)]
    for dy in range(kernel):
        line = padded.index_select(-2, rows + dy)
        for column in shifted:
            yield line.index_select(-1, column)
