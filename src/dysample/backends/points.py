"""Sums over sampled points: one form, linear in its three fields, and its derivatives.

With low-res features p (N, C, H, W), high-res features f (N, C, Y, X), weights a (N, P, Y, X) and
offsets o (N, P, 2, Y, X) from each output pixel's low-res pixel,

    T(p, f, a) = sum over n, c, y, x and points of
                 sample(p, pixel + o)[y, x] * f[y, x] * a[point, y, x].

The weighted sum of samples is its derivative by f, the inner product with samples its derivative
by a. Samples are zero outside the map. Only one point's samples of a few n exist at a time, and
backward takes them again: all of them together would be P times as large as the output.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from dysample.geometry import nearest_index

Gradients = tuple[Tensor | None, Tensor | None, Tensor | None]

# grid_sample's numbers for bilinear interpolation, zero padding, align_corners=False.
_MODE: tuple[int, int, bool] = (0, 0, False)

# Samples taken at once: so many that small maps do not wait for calls, so few that they are a
# small part of a large output.
_AT_ONCE = 2**18


class SampledSum(torch.autograd.Function):
    """Derivative of T by f: sum over the points of weights times samples."""

    @staticmethod
    def forward(ctx: Any, low: Tensor, weights: Tensor, offsets: Tensor) -> Tensor:
        """(N, C, H, W), (N, P, Y, X) and (N, P, 2, Y, X) to (N, C, Y, X)."""
        ctx.save_for_backward(low, weights, offsets)
        return _by_high(low, weights, offsets)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Gradients:
        """Derivatives by the three inputs."""
        low, weights, offsets = ctx.saved_tensors
        (high,) = gradients
        by_low, by_weights, by_offsets = ctx.needs_input_grad
        to_low, to_offsets = _by_low_and_offsets(low, high, weights, offsets, by_low, by_offsets)
        return to_low, _by_weights(low, high, offsets) if by_weights else None, to_offsets


class SampledProduct(torch.autograd.Function):
    """Derivative of T by a: inner products over C of high-res features with samples."""

    @staticmethod
    def forward(ctx: Any, low: Tensor, high: Tensor, offsets: Tensor) -> Tensor:
        """(N, C, H, W), (N, C, Y, X) and (N, P, 2, Y, X) to (N, P, Y, X)."""
        ctx.save_for_backward(low, high, offsets)
        return _by_weights(low, high, offsets)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Gradients:
        """Derivatives by the three inputs."""
        low, high, offsets = ctx.saved_tensors
        (weights,) = gradients
        by_low, by_high, by_offsets = ctx.needs_input_grad
        to_low, to_offsets = _by_low_and_offsets(low, high, weights, offsets, by_low, by_offsets)
        return to_low, _by_high(low, weights, offsets) if by_high else None, to_offsets


def _by_high(low: Tensor, weights: Tensor, offsets: Tensor) -> Tensor:
    out = low.new_zeros(*low.shape[:2], *weights.shape[2:])
    for some, point, grid in _grids(offsets, low):
        out[some].addcmul_(_sample(low[some], grid), weights[some, point, None])
    return out


def _by_weights(low: Tensor, high: Tensor, offsets: Tensor) -> Tensor:
    out = low.new_empty(*offsets.shape[:2], *high.shape[2:])
    for some, point, grid in _grids(offsets, low):
        out[some, point] = _sample(low[some], grid).mul_(high[some]).sum(1)
    return out


def _by_low_and_offsets(
    low: Tensor, high: Tensor, weights: Tensor, offsets: Tensor, by_low: bool, by_offsets: bool
) -> tuple[Tensor | None, Tensor | None]:
    if not (by_low or by_offsets):
        return None, None
    to_low = torch.zeros_like(low) if by_low else None
    to_offsets = torch.empty_like(offsets) if by_offsets else None
    for some, point, grid in _grids(offsets, low):
        to_sample = high[some] * weights[some, point, None]
        part, to_grid = torch.ops.aten.grid_sampler_2d_backward(
            to_sample, low[some], grid, *_MODE, (by_low, by_offsets)
        )
        if to_low is not None:
            to_low[some] += part
        if to_offsets is not None:
            to_offsets[some, point] = to_grid.movedim(-1, 1) * _steps(low)
    return to_low, to_offsets


def _sample(low: Tensor, grid: Tensor) -> Tensor:
    return F.grid_sample(low, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def _grids(offsets: Tensor, low: Tensor) -> Iterator[tuple[slice, int, Tensor]]:
    """Some n and a point with their grid (n, Y, X, 2) as `grid_sample` reads it, until all had."""
    (H, W), (Y, X) = low.shape[2:], offsets.shape[3:]
    pixel_y, pixel_x = nearest_index(Y, H, low.device), nearest_index(X, W, low.device)
    pixels = torch.stack((pixel_x.expand(Y, X), pixel_y.view(Y, 1).expand(Y, X)))
    # grid_sample counts from -1 to 1 between the map's outer edges.
    start = (pixels + 0.5) * _steps(low) - 1
    count = max(1, _AT_ONCE // max(1, low.shape[1] * Y * X))
    for first in range(0, offsets.shape[0], count):
        some = slice(first, first + count)
        for point in range(offsets.shape[1]):
            grid = start + offsets[some, point] * _steps(low)
            # Beyond 2 lies no map, however small; clamped, infinity samples 0 there and not NaN.
            yield some, point, grid.clamp_(-3, 3).movedim(1, -1)


def _steps(low: Tensor) -> Tensor:
    """One low-res pixel along x and y in `grid_sample`'s units, (2, 1, 1)."""
    H, W = low.shape[2:]
    return low.new_tensor((2 / W, 2 / H)).view(2, 1, 1)
