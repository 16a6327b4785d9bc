"""The primitives as slow loops over output pixels: the definition that every backend is held to.

Differentiable by autograd, in the dtype of the input (pass float64). Not for use in a model.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def _corner_weights(position: Tensor, length: int) -> list[tuple[int, Tensor]]:
    """Two taps (index, weight) of linear interpolation at a position clamped to the border."""
    place = float(position.detach())
    if not place > 0:  # at or before the first centre; NaN too
        return [(0, torch.ones_like(position))]
    if place >= length - 1:
        return [(length - 1, torch.ones_like(position))]
    low = math.floor(place)
    part = position - low
    return [(low, 1 - part), (low + 1, part)]


def point_sample(x: Tensor, offset: Tensor, start: str = "bilinear") -> Tensor:
    """See `dysample.functional.point_sample`."""
    B, C, H, W = x.shape
    Y, X = offset.shape[-2:]
    G = offset.shape[1] // 2
    part = C // G
    out = x.new_zeros(B, C, Y, X)
    for b in range(B):
        for g in range(G):
            channels = slice(g * part, (g + 1) * part)
            for row in range(Y):
                for column in range(X):
                    at_y, at_x = (row + 0.5) * H / Y - 0.5, (column + 0.5) * W / X - 0.5
                    if start == "nearest":
                        at_y = float(((2 * row + 1) * H) // (2 * Y))
                        at_x = float(((2 * column + 1) * W) // (2 * X))
                    p_x = at_x + offset[b, g, row, column].to(x.dtype)
                    p_y = at_y + offset[b, G + g, row, column].to(x.dtype)
                    total = x.new_zeros(part)
                    for h, weight_y in _corner_weights(p_y, H):
                        for w, weight_x in _corner_weights(p_x, W):
                            total = total + weight_y * weight_x * x[b, channels, h, w]
                    out[b, channels, row, column] = total
    return out


def reassemble(x: Tensor, weight: Tensor) -> Tensor:
    """See `dysample.functional.reassemble`."""
    B, C, H, W = x.shape
    G, taps, Y, X = weight.shape[1:]
    part, k = C // G, round(taps**0.5)
    r = (k - 1) // 2
    out = x.new_zeros(B, C, Y, X)
    for b in range(B):
        for g in range(G):
            channels = slice(g * part, (g + 1) * part)
            for row in range(Y):
                for column in range(X):
                    h = ((2 * row + 1) * H) // (2 * Y)
                    w = ((2 * column + 1) * W) // (2 * X)
                    total = x.new_zeros(part)
                    for dy in range(-r, r + 1):
                        for dx in range(-r, r + 1):
                            if 0 <= h + dy < H and 0 <= w + dx < W:
                                tap = (dy + r) * k + dx + r
                                near = x[b, channels, h + dy, w + dx]
                                total = total + weight[b, g, tap, row, column].to(x.dtype) * near
                    out[b, channels, row, column] = total
    return out
