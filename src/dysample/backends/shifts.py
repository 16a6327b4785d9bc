"""Sums over a k x k window as shifted products: one trilinear form and its derivatives.

With padded low-res features p (N, C, H + 2r, W + 2r), high-res features f (N, C, H, i, W, j) and
weights a (N, k*k, H, i, W, j), where i and j count the output pixels of a low-res pixel,

    T(p, f, a) = sum over all of p[c, h + dy, w + dx] * f[c, h, i, w, j] * a[(dy, dx), h, i, w, j].

Reassembly is its derivative by f, the affinity its derivative by a, and the gradients of both are
its other derivatives. The features are read in place, one sub-pixel (i, j) after the other. They
are neither unfolded (k*k times the memory) nor upsampled nor rearranged as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from dysample.fixed import is_exporting


class ShiftedSum(torch.autograd.Function):
    """Derivative of T by f: sum over the taps of shifted features times weights.

    Autograd would instead allocate a gradient of the size of the features for every shift, and one
    of the size of the output for every product.
    """

    @staticmethod
    def forward(ctx: Any, padded: Tensor, weights: Tensor) -> Tensor:
        """(N, C, H + 2r, W + 2r) and (N, k*k, H, i, W, j) to (N, C, H, i, W, j)."""
        ctx.save_for_backward(padded, weights)
        return _by_high(padded, weights)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Derivatives by both inputs, which have derivatives in turn."""
        padded, weights = ctx.saved_tensors
        (high,) = gradients
        by_padded, by_weights = ctx.needs_input_grad
        return (
            ShiftedSpread.apply(high, weights, padded.shape) if by_padded else None,
            ShiftedProduct.apply(padded, high) if by_weights else None,
        )


class ShiftedProduct(torch.autograd.Function):
    """Derivative of T by a: inner products over C of high-res with shifted low-res features."""

    @staticmethod
    def forward(ctx: Any, padded: Tensor, high: Tensor) -> Tensor:
        """(N, C, H + 2r, W + 2r) and (N, C, H, i, W, j) to (N, k*k, H, i, W, j)."""
        ctx.save_for_backward(padded, high)
        return _by_weights(padded, high)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Derivatives by both inputs, which have derivatives in turn."""
        padded, high = ctx.saved_tensors
        (weights,) = gradients
        by_padded, by_high = ctx.needs_input_grad
        return (
            ShiftedSpread.apply(high, weights, padded.shape) if by_padded else None,
            ShiftedSum.apply(padded, weights) if by_high else None,
        )


class ShiftedSpread(torch.autograd.Function):
    """Derivative of T by p: high-res features times weights, added up where their taps lie."""

    @staticmethod
    def forward(ctx: Any, high: Tensor, weights: Tensor, shape: torch.Size) -> Tensor:
        """(N, C, H, i, W, j) and (N, k*k, H, i, W, j) to the shape (N, C, H + 2r, W + 2r)."""
        ctx.save_for_backward(high, weights)
        return _by_padded(high, weights, shape)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        """Derivatives by both inputs, which have derivatives in turn."""
        high, weights = ctx.saved_tensors
        (padded,) = gradients
        by_high, by_weights, _ = ctx.needs_input_grad
        return (
            ShiftedSum.apply(padded, weights) if by_high else None,
            ShiftedProduct.apply(padded, high) if by_weights else None,
            None,
        )


def _by_high(padded: Tensor, weights: Tensor) -> Tensor:
    N, C = padded.shape[:2]
    H, W = weights.shape[2], weights.shape[4]
    shifts = _shifts(padded, H, W)
    out = padded.new_empty(N, C, *weights.shape[2:])
    total = padded.new_empty(N, C, H, W)  # one buffer: fresh pages cost more than the sums
    for place, weight in _places(weights):
        total.zero_()
        for near, tap in zip(shifts, weight.unsqueeze(2).unbind(1)):
            total.addcmul_(near, tap)
        out[place] = total
    return out


def _by_padded(high: Tensor, weights: Tensor, shape: torch.Size) -> Tensor:
    out = weights.new_zeros(shape)
    shifts = _shifts(out, high.shape[2], high.shape[4])
    for (_, part), (_, weight) in zip(_places(high), _places(weights)):
        for near, tap in zip(shifts, weight.unsqueeze(2).unbind(1)):
            near.addcmul_(part, tap)
    return out


def _by_weights(padded: Tensor, high: Tensor) -> Tensor:
    N, C, H, _, W, _ = high.shape
    shifts = _shifts(padded, H, W)
    out = padded.new_empty(N, len(shifts), *high.shape[2:])
    # One buffer, as above; but autograd refuses it in an exported graph.
    product = None if is_exporting() else padded.new_empty(N, C, H, W)
    for place, part in _places(high):
        out[place] = torch.stack(
            [torch.mul(part, near, out=product).sum(1) for near in shifts], dim=1
        )
    return out


Place = tuple[slice, slice, slice, int, slice, int]


def _places(field: Tensor) -> Iterator[tuple[Place, Tensor]]:
    """Yield each sub-pixel and its contiguous map (N, C, H, W): mixed layouts halve the speed."""
    whole = slice(None)
    for i in range(field.shape[3]):
        for j in range(field.shape[5]):
            place = (whole, whole, whole, i, whole, j)
            yield place, field[place].contiguous()


def _shifts(padded: Tensor, H: int, W: int) -> list[Tensor]:
    """Return views (N, C, H, W) of the padded features, one for each tap in row-major order."""
    rows = [padded.narrow(2, dy, H) for dy in range(padded.shape[2] - H + 1)]
    return [row.narrow(3, dx, W) for row in rows for dx in range(padded.shape[3] - W + 1)]
