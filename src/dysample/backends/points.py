"""Sums over sampled points: one form, linear in its three fields, and its derivatives.

With low-res features p (N, C, H, W), high-res features f (N, C, Y, X), weights a (N, P, Y, X) and
offsets o (N, P, 2, Y, X) from each output pixel's low-res pixel,

    T(p, f, a) = sum over n, c, y, x and points of
                 sample(p, pixel + o)[y, x] * f[y, x] * a[point, y, x].

The weighted sum of samples is its derivative by f, the inner product with samples its derivative
by a. Samples are zero outside the map. Only one point's samples of a few n exist at a time, and
backward takes them again: all of them together would be P times as large as the output. They are
taken by `grid_sample`, or by the kernels of `point_sample` on a map with a rim of zeros.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from dysample.geometry import nearest_index, regular_position

Gradients = tuple[Tensor | None, ...]

# Samples taken at once: so many that small maps do not wait for calls, so few that they are a
# small part of a large output.
_AT_ONCE = 2**18


class SampledSum(torch.autograd.Function):
    """Derivative of T by f: sum over the points of weights times samples."""

    @staticmethod
    def forward(ctx: Any, low: Tensor, weights: Tensor, offsets: Tensor, kernels: bool) -> Tensor:
        """(N, C, H, W), (N, P, Y, X) and (N, P, 2, Y, X) to (N, C, Y, X)."""
        ctx.save_for_backward(low, weights, offsets)
        ctx.kernels = kernels
        return _by_high(low, weights, offsets, kernels)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Gradients:
        """Derivatives by the three inputs."""
        low, weights, offsets = ctx.saved_tensors
        (high,) = gradients
        by_low, by_weights, by_offsets, _ = ctx.needs_input_grad
        kernels = ctx.kernels
        to_low, to_offsets = _by_low_and_offsets(
            low, high, weights, offsets, kernels, (by_low, by_offsets)
        )
        to_weights = _by_weights(low, high, offsets, kernels) if by_weights else None
        return to_low, to_weights, to_offsets, None


class SampledProduct(torch.autograd.Function):
    """Derivative of T by a: inner products over C of high-res features with samples."""

    @staticmethod
    def forward(ctx: Any, low: Tensor, high: Tensor, offsets: Tensor, kernels: bool) -> Tensor:
        """(N, C, H, W), (N, C, Y, X) and (N, P, 2, Y, X) to (N, P, Y, X)."""
        ctx.save_for_backward(low, high, offsets)
        ctx.kernels = kernels
        return _by_weights(low, high, offsets, kernels)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Gradients:
        """Derivatives by the three inputs."""
        low, high, offsets = ctx.saved_tensors
        (weights,) = gradients
        by_low, by_high, by_offsets, _ = ctx.needs_input_grad
        kernels = ctx.kernels
        to_low, to_offsets = _by_low_and_offsets(
            low, high, weights, offsets, kernels, (by_low, by_offsets)
        )
        to_high = _by_high(low, weights, offsets, kernels) if by_high else None
        return to_low, to_high, to_offsets, None


def _by_high(low: Tensor, weights: Tensor, offsets: Tensor, kernels: bool) -> Tensor:
    out = low.new_zeros(*low.shape[:2], *weights.shape[2:])
    sampler = _sampler(low, offsets, kernels)
    for some, point in _parts(offsets, low):
        sample = sampler.sample(low[some], offsets[some, point])
        out[some].addcmul_(sample, weights[some, point, None])
    return out


def _by_weights(low: Tensor, high: Tensor, offsets: Tensor, kernels: bool) -> Tensor:
    out = low.new_empty(*offsets.shape[:2], *high.shape[2:])
    sampler = _sampler(low, offsets, kernels)
    for some, point in _parts(offsets, low):
        sample = sampler.sample(low[some], offsets[some, point])
        out[some, point] = sample.mul_(high[some]).sum(1)
    return out


def _by_low_and_offsets(
    low: Tensor,
    high: Tensor,
    weights: Tensor,
    offsets: Tensor,
    kernels: bool,
    wanted: tuple[bool, bool],
) -> tuple[Tensor | None, Tensor | None]:
    if not any(wanted):
        return None, None
    to_low = torch.zeros_like(low) if wanted[0] else None
    to_offsets = torch.empty_like(offsets) if wanted[1] else None
    sampler = _sampler(low, offsets, kernels)
    for some, point in _parts(offsets, low):
        to_sample = high[some] * weights[some, point, None]
        part, to_point = sampler.gradients(to_sample, low[some], offsets[some, point], wanted)
        if to_low is not None:
            to_low[some] += part
        if to_offsets is not None:
            to_offsets[some, point] = to_point
    return to_low, to_offsets


def _parts(offsets: Tensor, low: Tensor) -> Iterator[tuple[slice, int]]:
    """Some n and a point, until all were had."""
    samples = prod((low.shape[1], *offsets.shape[3:]))
    count = max(1, _AT_ONCE // max(1, samples))
    for first in range(0, offsets.shape[0], count):
        for point in range(offsets.shape[1]):
            yield slice(first, first + count), point


def _sampler(low: Tensor, offsets: Tensor, kernels: bool) -> _GridSampler | _KernelSampler:
    kind = _KernelSampler if kernels else _GridSampler
    return kind(low, offsets.shape[3:])


class _GridSampler:
    """Samples of (n, C, H, W) at offsets (n, 2, Y, X), and their gradients, by `grid_sample`."""

    # Its numbers for bilinear interpolation, zero padding, align_corners=False.
    MODE: tuple[int, int, bool] = (0, 0, False)

    def __init__(self, low: Tensor, size: torch.Size) -> None:
        H, W = low.shape[2:]
        # One low-res pixel along x and y in its units, which run from -1 to 1 between the map's
        # outer edges.
        self.steps = low.new_tensor((2 / W, 2 / H)).view(2, 1, 1)
        pixel_y, pixel_x = (nearest_index(*axis, low.device) for axis in zip(size, (H, W)))
        pixels = torch.stack((pixel_x.expand(size), pixel_y.view(-1, 1).expand(size)))
        self.start = (pixels + 0.5) * self.steps - 1

    def sample(self, low: Tensor, offsets: Tensor) -> Tensor:
        """(n, C, Y, X)."""
        return F.grid_sample(
            low, self._grid(offsets), mode="bilinear", padding_mode="zeros", align_corners=False
        )

    def gradients(
        self, to_sample: Tensor, low: Tensor, offsets: Tensor, wanted: tuple[bool, bool]
    ) -> tuple[Tensor, Tensor]:
        """To the map and to the offsets; what is not wanted is undefined."""
        to_low, to_grid = torch.ops.aten.grid_sampler_2d_backward(
            to_sample, low, self._grid(offsets), *self.MODE, wanted
        )
        return to_low, to_grid.movedim(-1, 1) * self.steps if wanted[1] else offsets

    def _grid(self, offsets: Tensor) -> Tensor:
        # Beyond 2 lies no map, however small; clamped, infinity samples 0 there and not NaN.
        return (self.start + offsets * self.steps).clamp_(-3, 3).movedim(1, -1)


class _KernelSampler:
    """The same by `point_sample`'s kernels.

    They continue a map by its border: with a rim of zeros it is continued by zeros, and what lies
    between the last pixel and the rim is interpolated as `grid_sample` does.
    """

    def __init__(self, low: Tensor, size: torch.Size) -> None:
        self.size = size
        shift_y, shift_x = (self._shift(*axis, low) for axis in zip(low.shape[2:], size))
        self.shift = torch.stack((shift_x.expand(size), shift_y.view(-1, 1).expand(size)))

    def sample(self, low: Tensor, offsets: Tensor) -> Tensor:
        """(n, C, Y, X)."""
        out: Tensor = torch.ops.dysample.point_sample(
            self._rimmed(low), offsets + self.shift, 1, *self.size, False
        )
        return out

    def gradients(
        self, to_sample: Tensor, low: Tensor, offsets: Tensor, wanted: tuple[bool, bool]
    ) -> tuple[Tensor, Tensor]:
        """To the map and to the offsets; what is not wanted is undefined."""
        to_low, to_offsets = torch.ops.dysample.point_sample_backward(
            to_sample, self._rimmed(low), offsets + self.shift, 1, False, *wanted
        )
        return to_low[..., 1:-1, 1:-1] if wanted[0] else low, to_offsets

    @staticmethod
    def _shift(length: int, out_length: int, low: Tensor) -> Tensor:
        """From where the kernels would sample the larger map by themselves to the pixel."""
        pixel, device = nearest_index(out_length, length, low.device), low.device
        own, rest = regular_position(out_length, length + 2, "bilinear", low.dtype, device)
        return (pixel + 1 - own).to(low.dtype) - rest

    def _rimmed(self, low: Tensor) -> Tensor:
        return F.pad(low, (1, 1, 1, 1))
