"""Sums over sampled points: one form, linear in its three fields, and its derivatives.

With low-res features p (N, C, H, W), high-res features f (N, C, Y, X), weights a (N, P, Y, X) and
grids (P, N, Y, X, 2) as `grid_sample` reads them,

    T(p, f, a) = sum over n, c, y, x and points of sample(p, grid)[y, x] * f[y, x] * a[point, y, x].

The weighted sum of samples is its derivative by f, the inner product with samples its derivative
by a. Samples are zero outside the map. Only one point's samples exist at a time, and backward
takes them again: all of them together would be P times as large as the output.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

Gradients = tuple[Tensor | None, Tensor | None, Tensor | None]

# grid_sample's numbers for bilinear interpolation, zero padding, align_corners=False.
_MODE: tuple[int, int, bool] = (0, 0, False)


class SampledSum(torch.autograd.Function):
    """Derivative of T by f: sum over the points of weights times samples."""

    @staticmethod
    def forward(ctx: Any, low: Tensor, weights: Tensor, grids: Tensor) -> Tensor:
        """(N, C, H, W), (N, P, Y, X) and (P, N, Y, X, 2) to (N, C, Y, X)."""
        ctx.save_for_backward(low, weights, grids)
        return _by_high(low, weights, grids)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Gradients:
        """Derivatives by the three inputs."""
        low, weights, grids = ctx.saved_tensors
        (high,) = gradients
        by_low, by_weights, by_grids = ctx.needs_input_grad
        to_low, to_grids = _by_low_and_grids(low, high, weights, grids, by_low, by_grids)
        return to_low, _by_weights(low, high, grids) if by_weights else None, to_grids


class SampledProduct(torch.autograd.Function):
    """Derivative of T by a: inner products over C of high-res features with samples."""

    @staticmethod
    def forward(ctx: Any, low: Tensor, high: Tensor, grids: Tensor) -> Tensor:
        """(N, C, H, W), (N, C, Y, X) and (P, N, Y, X, 2) to (N, P, Y, X)."""
        ctx.save_for_backward(low, high, grids)
        return _by_weights(low, high, grids)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Gradients:
        """Derivatives by the three inputs."""
        low, high, grids = ctx.saved_tensors
        (weights,) = gradients
        by_low, by_high, by_grids = ctx.needs_input_grad
        to_low, to_grids = _by_low_and_grids(low, high, weights, grids, by_low, by_grids)
        return to_low, _by_high(low, weights, grids) if by_high else None, to_grids


def _sample(low: Tensor, grid: Tensor) -> Tensor:
    return F.grid_sample(low, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def _by_high(low: Tensor, weights: Tensor, grids: Tensor) -> Tensor:
    out = low.new_zeros(*low.shape[:2], *weights.shape[2:])
    for point, grid in enumerate(grids.unbind()):
        out.addcmul_(_sample(low, grid), weights[:, point].unsqueeze(1))
    return out


def _by_weights(low: Tensor, high: Tensor, grids: Tensor) -> Tensor:
    products = [(_sample(low, grid).mul_(high)).sum(1) for grid in grids.unbind()]
    return torch.stack(products, dim=1)


def _by_low_and_grids(
    low: Tensor, high: Tensor, weights: Tensor, grids: Tensor, by_low: bool, by_grids: bool
) -> tuple[Tensor | None, Tensor | None]:
    if not (by_low or by_grids):
        return None, None
    to_low = torch.zeros_like(low)
    to_grids = []
    for point, grid in enumerate(grids.unbind()):
        to_sample = high * weights[:, point].unsqueeze(1)
        part, to_grid = torch.ops.aten.grid_sampler_2d_backward(
            to_sample, low, grid, *_MODE, (by_low, by_grids)
        )
        if by_low:
            to_low += part
        to_grids.append(to_grid)
    return to_low if by_low else None, torch.stack(to_grids) if by_grids else None
