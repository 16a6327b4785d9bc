"""The primitives as slow loops over output pixels: the definition that every backend is held to.

Differentiable by autograd, in the dtype of the input (pass float64). Not for use in a model.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def _corner_weights(position: Tensor, length: int) -> list[tuple[int, Tensor]]:
    """Return the two taps (index, weight) of linear interpolation, clamped to the border."""
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


def affinity(query: Tensor, key: Tensor, kernel: int, groups: int = 1) -> Tensor:
    """See `dysample.functional.affinity`."""
    B, C, H, W = key.shape
    Y, X = query.shape[-2:]
    part, r = C // groups, (kernel - 1) // 2
    out = query.new_zeros(B, groups, kernel**2, Y, X)
    for b in range(B):
        for g in range(groups):
            channels = slice(g * part, (g + 1) * part)
            for row in range(Y):
                for column in range(X):
                    h = ((2 * row + 1) * H) // (2 * Y)
                    w = ((2 * column + 1) * W) // (2 * X)
                    for dy in range(-r, r + 1):
                        for dx in range(-r, r + 1):
                            if 0 <= h + dy < H and 0 <= w + dx < W:
                                tap = (dy + r) * kernel + dx + r
                                near = key[b, channels, h + dy, w + dx].to(query.dtype)
                                product = query[b, channels, row, column] * near
                                out[b, g, tap, row, column] = product.sum()
    return out


def _zero_padded_sample(x: Tensor, p_x: Tensor, p_y: Tensor) -> Tensor:
    """Sample a map (C, H, W) bilinearly, with zeros outside: (C,)."""
    H, W = x.shape[1:]
    at_x, at_y = float(p_x.detach()), float(p_y.detach())
    total = x.new_zeros(x.shape[0])
    if not (-1 < at_x < W and -1 < at_y < H):
        return total
    low_x, low_y = math.floor(at_x), math.floor(at_y)
    for h in (low_y, low_y + 1):
        for w in (low_x, low_x + 1):
            if 0 <= h < H and 0 <= w < W:
                total = total + (1 - (p_x - w).abs()) * (1 - (p_y - h).abs()) * x[:, h, w]
    return total


def point_attention(x: Tensor, query: Tensor, key: Tensor, offset: Tensor, groups: int) -> Tensor:
    """See `dysample.functional.point_attention`."""
    B, C, H, W = x.shape
    Y, X = query.shape[-2:]
    points, part, width = offset.shape[1] // (2 * groups), C // groups, key.shape[1] // groups
    out = x.new_zeros(B, C, Y, X)
    for b in range(B):
        for g in range(groups):
            channels = slice(g * part, (g + 1) * part)
            embedded = slice(g * width, (g + 1) * width)
            for row in range(Y):
                for column in range(X):
                    at_x = ((2 * column + 1) * W) // (2 * X)
                    at_y = ((2 * row + 1) * H) // (2 * Y)
                    logits, values = [], []
                    for point in range(points):
                        plane = (g * points + point) * 2
                        p_x = at_x + offset[b, plane, row, column].to(x.dtype)
                        p_y = at_y + offset[b, plane + 1, row, column].to(x.dtype)
                        near = _zero_padded_sample(key[b, embedded], p_x, p_y)
                        logits.append((query[b, embedded, row, column] * near).sum())
                        values.append(_zero_padded_sample(x[b, channels], p_x, p_y))
                    weights = torch.stack(logits).softmax(0)
                    total = (weights.unsqueeze(1) * torch.stack(values)).sum(0)
                    out[b, channels, row, column] = total
    return out
