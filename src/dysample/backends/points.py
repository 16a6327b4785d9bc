"""Attention over sampled points and its derivatives, computed for a few samples at a time.

With values v (N, C, H, W), keys k (N, E, H, W), queries q (N, E, Y, X) and offsets o
(N, P, 2, Y, X) from each output pixel's low-res pixel, N counting images and groups,

    weights = softmax over the points of the sum over e of q[e] * sample(k[e], pixel + o[point]),
    out = sum over the points of weights[point] * sample(v, pixel + o[point]).

Samples are zero outside the map. All samples together would be P times as large as the output, so
only one point's samples of a few n exist at once, and the backward pass samples again.
"""

from __future__ import annotations

from math import prod
from typing import Any, NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from dysample.backends import graph
from dysample.backends.samplers import gather
from dysample.geometry import nearest_index
from dysample.layout import compute_dtype, like_input

# Samples taken at once: enough that small maps are not dominated by the cost of calls, few enough
# that they are a small part of a large output.
_AT_ONCE = 2**18


class Sampler(Protocol):
    """Samples of prepared maps (n, C, H, W) at offsets (n, 2, Y, X), and their gradients."""

    def __init__(self, low: Tensor, size: torch.Size) -> None:
        """Prepare to sample maps with the size and dtype of `low` at outputs of `size`."""

    def prepared(self, low: Tensor) -> Tensor:
        """Return the map in the form that `sample` reads."""

    def sample(self, low: Tensor, offsets: Tensor) -> Tensor:
        """Return samples (n, C, Y, X)."""

    def gradients(
        self, to_sample: Tensor, low: Tensor, offsets: Tensor, wanted: tuple[bool, bool]
    ) -> tuple[Tensor | None, Tensor | None]:
        """Return the requested gradients of the map, before `prepared`, and of the offsets."""


class Attention(torch.autograd.Function):
    """Attention as an autograd function in plain torch: see `attention`."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, query: Tensor, key: Tensor, offset: Tensor, groups: int
    ) -> tuple[Tensor, Tensor]:
        """Return result and weights."""
        out, weights = attention(x, query, key, offset, groups, GridSampler)
        ctx.save_for_backward(x, query, key, offset, weights)
        ctx.groups = groups
        return out, weights

    @staticmethod
    def backward(ctx: Any, *high: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of the four tensors."""
        x, query, key, offset, weights = ctx.saved_tensors
        inputs, wanted = (x, query, key, offset), ctx.needs_input_grad[:4]
        if torch.is_grad_enabled() and not torch.compiler.is_compiling():
            return *_differentiable(high, inputs, ctx.groups, wanted), None
        found = attention_backward(high, inputs, weights, ctx.groups, wanted, GridSampler)
        return *found, None


def attention(
    x: Tensor, query: Tensor, key: Tensor, offset: Tensor, groups: int, sampler: type[Sampler]
) -> tuple[Tensor, Tensor]:
    """See `dysample.ops.point_attention`, for offsets (B, 2 G P, H', W')."""
    fields = _fields(x, query, key, offset, groups)
    samples = sampler(fields.value, fields.query.shape[2:])
    logits = _products(samples, fields.key, fields.query, fields.offset)
    weights = logits.softmax(1)
    del logits
    out = _sums(samples, fields.value, weights, fields.offset)
    B, C = x.shape[:2]
    size = out.shape[2:]
    return like_input(out.reshape(B, C, *size), x), weights.reshape(B, offset.shape[1] // 2, *size)


def attention_backward(
    high: tuple[Tensor, ...],
    inputs: tuple[Tensor, Tensor, Tensor, Tensor],
    weights: Tensor,
    groups: int,
    wanted: tuple[bool, ...],
    sampler: type[Sampler],
) -> list[Tensor | None]:
    """Return the requested gradients of x, query, key and offset.

    Args:
        high: gradients of the result and of the weights.
        inputs: x, query, key, offset.
        weights: the second result.
        groups: G.
        wanted: which of the four.
        sampler: what samples.
    """
    value, key, query, offset = _fields(*inputs, groups)
    samples = sampler(value, query.shape[2:])
    of_out = high[0].to(value.dtype).reshape(*value.shape[:2], *query.shape[2:])
    weights = weights.reshape(*offset.shape[:2], *query.shape[2:])
    to_x, to_query, to_key, to_offset = wanted
    of_x, of_offset = _spread(samples, value, of_out, weights, offset, (to_x, to_offset))
    of_query = of_key = None
    if to_query or to_key or to_offset:
        slope = _products(samples, value, of_out, offset) + high[1].reshape(weights.shape)
        slope = weights * (slope - (weights * slope).sum(1, keepdim=True))
        if to_query:
            of_query = _sums(samples, key, slope, offset)
        of_key, by_weights = _spread(samples, key, query, slope, offset, (to_key, to_offset))
        if of_offset is not None and by_weights is not None:
            of_offset += by_weights
    return [
        None if found is None else like_input(found.reshape(value.shape), value)
        for found, value in zip((of_x, of_query, of_key, of_offset), inputs)
    ]


def _differentiable(
    high: tuple[Tensor, ...],
    inputs: tuple[Tensor, Tensor, Tensor, Tensor],
    groups: int,
    wanted: tuple[bool, ...],
) -> list[Tensor | None]:
    """Return the same gradients in a differentiable form, which keeps every sample."""
    # Views, as one tensor may be several of the inputs.
    x, query, key, offset = views = [value.view_as(value) for value in inputs]
    outs = graph.point_attention(x, query, key, offset, 1, groups, gather)
    sources = [view for view, want in zip(views, wanted) if want]
    found = iter(torch.autograd.grad(outs, sources, high, create_graph=True))
    return [next(found) if want else None for want in wanted]


class _Fields(NamedTuple):
    """The inputs with images and groups as one axis, in the compute dtype."""

    value: Tensor
    key: Tensor
    query: Tensor
    offset: Tensor


def _fields(x: Tensor, query: Tensor, key: Tensor, offset: Tensor, groups: int) -> _Fields:
    N, P, dtype = x.shape[0] * groups, offset.shape[1] // (2 * groups), compute_dtype(x)

    def grouped(value: Tensor) -> Tensor:
        return value.to(dtype).reshape(N, value.shape[1] // groups, *value.shape[2:])

    of_points = offset.to(dtype).reshape(N, P, 2, *offset.shape[2:])
    return _Fields(grouped(x), grouped(key), grouped(query), of_points)


def _sums(samples: Sampler, low: Tensor, weights: Tensor, offsets: Tensor) -> Tensor:
    """Sum weights times samples over the points: (N, C, Y, X)."""
    out = low.new_zeros(*low.shape[:2], *weights.shape[2:])
    for some in _parts(low, offsets):
        near = samples.prepared(low[some])
        for point in range(offsets.shape[1]):
            # A name for the sample would keep two of them alive at once.
            out[some].addcmul_(
                samples.sample(near, offsets[some, point]), weights[some, point, None]
            )
    return out


def _products(samples: Sampler, low: Tensor, high: Tensor, offsets: Tensor) -> Tensor:
    """Return the inner products of high-res features with samples: (N, P, Y, X)."""
    out = low.new_empty(*offsets.shape[:2], *high.shape[2:])
    for some in _parts(low, offsets):
        near = samples.prepared(low[some])
        for point in range(offsets.shape[1]):
            product = samples.sample(near, offsets[some, point]).mul_(high[some])
            out[some, point] = product.sum(1)
            del product
    return out


def _spread(
    samples: Sampler,
    low: Tensor,
    high: Tensor,
    weights: Tensor,
    offsets: Tensor,
    wanted: tuple[bool, bool],
) -> tuple[Tensor | None, Tensor | None]:
    """Return the gradients of the map and the offsets for the sum of high * weights * samples."""
    if not any(wanted):
        return None, None
    to_low = torch.zeros_like(low) if wanted[0] else None
    to_offsets = torch.empty_like(offsets) if wanted[1] else None
    for some in _parts(low, offsets):
        near = samples.prepared(low[some])
        for point in range(offsets.shape[1]):
            to_map, to_point = samples.gradients(
                high[some] * weights[some, point, None], near, offsets[some, point], wanted
            )
            if to_low is not None and to_map is not None:
                to_low[some] += to_map
            if to_offsets is not None and to_point is not None:
                to_offsets[some, point] = to_point
    return to_low, to_offsets


def _parts(low: Tensor, offsets: Tensor) -> list[slice]:
    """Split the n images into chunks; a trace must hold for any n and gets a single chunk."""
    if torch.compiler.is_compiling():
        return [slice(None)]
    count = max(1, _AT_ONCE // max(1, prod((low.shape[1], *offsets.shape[3:]))))
    return [slice(first, first + count) for first in range(0, low.shape[0], count)]


class GridSampler:
    """Sample with `grid_sample`."""

    # torch's codes for bilinear interpolation and zero padding, and align_corners=False.
    MODE: tuple[int, int, bool] = (0, 0, False)

    def __init__(self, low: Tensor, size: torch.Size) -> None:
        self.axes = []
        for out_length, length in zip(size, low.shape[2:]):
            pixel = nearest_index(out_length, length, low.device).to(low.dtype)
            # A low-res pixel in its units, which run from -1 to 1 between the map's outer edges.
            self.axes.append(((pixel + 0.5) * (2 / length) - 1, 2 / length))

    def prepared(self, low: Tensor) -> Tensor:
        """Return the map unchanged."""
        return low

    def sample(self, low: Tensor, offsets: Tensor) -> Tensor:
        """Return samples (n, C, Y, X)."""
        return F.grid_sample(
            low, self._grid(offsets), mode="bilinear", padding_mode="zeros", align_corners=False
        )

    def gradients(
        self, to_sample: Tensor, low: Tensor, offsets: Tensor, wanted: tuple[bool, bool]
    ) -> tuple[Tensor | None, Tensor | None]:
        """Return the requested gradients of the map and the offsets."""
        to_low, to_grid = torch.ops.aten.grid_sampler_2d_backward(
            to_sample, low, self._grid(offsets), *self.MODE, wanted
        )
        (_, step_y), (_, step_x) = self.axes
        return (
            to_low if wanted[0] else None,
            torch.stack((to_grid[..., 0] * step_x, to_grid[..., 1] * step_y), 1)
            if wanted[1]
            else None,
        )

    def _grid(self, offsets: Tensor) -> Tensor:
        (start_y, step_y), (start_x, step_x) = self.axes
        x = start_x + offsets[:, 0] * step_x
        y = start_y.unsqueeze(-1) + offsets[:, 1] * step_y
        # No map reaches beyond 2. Clamping there makes infinity sample 0 instead of NaN.
        return torch.stack((x, y), -1).clamp_(-3, 3)
