"""`point_sample` as a torch operator: schema, shapes, gradient, batching, cost."""

from __future__ import annotations

from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import register_flop_formula

from dysample.backends import eager, graph
from dysample.layout import empty_like_input, format_of
from dysample.ops.dispatch import graph_sampler, runs_fused
from dysample.ops.registration import DEVICES, fused, or_nothing, register


def point_sample(x: Tensor, field: Tensor, scale: int, size: tuple[int, int], start: str) -> Tensor:
    """Bilinear samples (B, C, H', W') at regular positions moved by a field of offsets.

    Args:
        x: (B, C, H, W).
        field: (B, 2 G s^2, h, w); channel ((d * G + g) * s + i) * s + j moves group g along axis d
            at sub-pixel (row i, column j) of its pixels. Output pixels read the nearest of its
            (s h, s w) sub-pixels.
        scale: s.
        size: (H', W').
        start: "bilinear" or "nearest", see `dysample.functional.point_sample`.
    """
    if runs_fused("point_sample", x, field):
        out: Tensor = _forward(x, field, scale, *size, start == "nearest")
        return out
    sampler = graph_sampler()
    if sampler is not None:
        return graph.point_sample(x, field, scale, size, start, sampler)
    return eager.point_sample(x, field, scale, size, start)


@torch.library.custom_op("dysample::point_sample", mutates_args=(), device_types=DEVICES)
def _forward(
    x: Tensor, field: Tensor, scale: int, height: int, width: int, from_centre: bool
) -> Tensor:
    kernels = fused("point_sample", x)
    out: Tensor = kernels.point_sample(x, field, scale, (height, width), from_centre)
    return out


@_forward.register_fake
def _(x: Tensor, field: Tensor, scale: int, height: int, width: int, from_centre: bool) -> Tensor:
    return empty_like_input(x, (x.shape[0], x.shape[1], height, width))


@torch.library.custom_op("dysample::point_sample_backward", mutates_args=(), device_types=DEVICES)
def _backward(
    high: Tensor,
    x: Tensor,
    field: Tensor,
    scale: int,
    from_centre: bool,
    to_x: bool,
    to_field: bool,
) -> tuple[Tensor, Tensor]:
    of_x, of_field = fused("point_sample", x).point_sample_backward(
        high, x, field, scale, from_centre, (to_x, to_field)
    )
    return or_nothing(of_x, x), or_nothing(of_field, field)


@_backward.register_fake
def _(
    high: Tensor,
    x: Tensor,
    field: Tensor,
    scale: int,
    from_centre: bool,
    to_x: bool,
    to_field: bool,
) -> tuple[Tensor, Tensor]:
    of_x = torch.empty_like(x, memory_format=format_of(x)) if to_x else None
    of_field = torch.empty_like(field) if to_field else None
    return or_nothing(of_x, x), or_nothing(of_field, field)


register(_forward, _backward, "point_sample", size=1)


@register_flop_formula(torch.ops.dysample.point_sample)
def _(*shapes: Any, out_shape: tuple[int, ...], **options: Any) -> int:
    """Count four multiply-adds for each output element."""
    return 8 * prod(out_shape)


@register_flop_formula(torch.ops.dysample.point_sample_backward)
def _(high: tuple[int, ...], *shapes: Any, **options: Any) -> int:
    """Count four multiply-adds for each output element and each of the two gradients."""
    return 8 * prod(high) * int(shapes[-2] + shapes[-1])
