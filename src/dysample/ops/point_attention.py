"""`point_attention` as a torch operator: schema, shapes, gradient, batching, cost."""

from __future__ import annotations

from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import register_flop_formula

from dysample.backends import eager, graph
from dysample.layout import compute_dtype, empty_like_input, format_of
from dysample.ops.dispatch import graph_sampler, runs_fused
from dysample.ops.registration import DEVICES, fused, or_nothing, register


def point_attention(
    x: Tensor, query: Tensor, key: Tensor, field: Tensor, scale: int, groups: int
) -> tuple[Tensor, Tensor]:
    """Attention of each output pixel over P points sampled around its low-res pixel.

    Args:
        x: (B, C, H, W).
        query: (B, G E, H', W').
        key: (B, G E, H, W).
        field: (B, 2 G P s^2, h, w); channel (((g * P + p) * 2 + d) * s + i) * s + j moves point p
            of group g along axis d at sub-pixel (row i, column j) of its pixels. Output pixels
            read the nearest of its (s h, s w) sub-pixels.
        scale: s.
        groups: G.

    Returns:
        (B, C, H', W'), and the weights of the samples, (B, G P, H', W') in the compute dtype.
    """
    if runs_fused("point_attention", x, query, key, field):
        out, weights = _forward(x, query, key, field, scale, groups)
        return out, weights
    sampler = graph_sampler()
    if sampler is not None:
        return graph.point_attention(x, query, key, field, scale, groups, sampler)
    return eager.point_attention(x, query, key, field, scale, groups)


@torch.library.custom_op("dysample::point_attention", mutates_args=(), device_types=DEVICES)
def _forward(
    x: Tensor, query: Tensor, key: Tensor, field: Tensor, scale: int, groups: int
) -> tuple[Tensor, Tensor]:
    kernels = fused("point_attention", x)
    out: tuple[Tensor, Tensor] = kernels.point_attention(x, query, key, field, scale, groups)
    return out


@_forward.register_fake
def _(
    x: Tensor, query: Tensor, key: Tensor, field: Tensor, scale: int, groups: int
) -> tuple[Tensor, Tensor]:
    B, C = x.shape[:2]
    Y, X = query.shape[2:]
    weights = x.new_empty((B, field.shape[1] // (2 * scale**2), Y, X), dtype=compute_dtype(x))
    return empty_like_input(x, (B, C, Y, X)), weights


@torch.library.custom_op(
    "dysample::point_attention_backward", mutates_args=(), device_types=DEVICES
)
def _backward(
    high: Tensor,
    high_weights: Tensor,
    x: Tensor,
    query: Tensor,
    key: Tensor,
    field: Tensor,
    weights: Tensor,
    scale: int,
    groups: int,
    to_x: bool,
    to_query: bool,
    to_key: bool,
    to_field: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    inputs, wanted = (x, query, key, field), (to_x, to_query, to_key, to_field)
    of_x, of_query, of_key, of_field = fused("point_attention", x).point_attention_backward(
        (high, high_weights), inputs, weights, scale, groups, wanted
    )
    return (
        or_nothing(of_x, x),
        or_nothing(of_query, query),
        or_nothing(of_key, key),
        or_nothing(of_field, field),
    )


@_backward.register_fake
def _(
    high: Tensor,
    high_weights: Tensor,
    x: Tensor,
    query: Tensor,
    key: Tensor,
    field: Tensor,
    weights: Tensor,
    scale: int,
    groups: int,
    to_x: bool,
    to_query: bool,
    to_key: bool,
    to_field: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    def empty(value: Tensor, wanted: bool) -> Tensor:
        like = torch.empty_like(value, memory_format=format_of(value)) if wanted else None
        return or_nothing(like, value)

    return empty(x, to_x), empty(query, to_query), empty(key, to_key), empty(field, to_field)


register(_forward, _backward, "point_attention", maps=4, outputs=2)


@register_flop_formula(torch.ops.dysample.point_attention)
def _(x: Any, query: Any, key: Any, field: Any, *rest: Any, **options: Any) -> int:
    """Count four multiply-adds a sample of keys and values, and one for each product of it."""
    return 5 * 2 * _points(query, field, *rest) * int(x[1] + key[1])


@register_flop_formula(torch.ops.dysample.point_attention_backward)
def _(*shapes: Any, **options: Any) -> int:
    """Count as many for each gradient of keys and values, and for sampling the values again."""
    _, _, x, query, key, field, _, scale, groups, to_x, to_query, to_key, to_field = shapes
    of_values = to_x + to_field + (to_query or to_key or to_field)
    of_keys = to_query + to_key + to_field
    channels = of_values * x[1] + of_keys * key[1]
    return 5 * 2 * _points(query, field, scale, groups) * int(channels)


def _points(query: tuple[int, ...], field: tuple[int, ...], scale: int, groups: int) -> int:
    """Return the number of points of a group in all images and output pixels."""
    return query[0] * prod(query[2:]) * field[1] // (2 * groups * scale**2)
