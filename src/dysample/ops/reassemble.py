"""`reassemble` as a torch operator: schema, shapes, gradient, batching, cost."""

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


def reassemble(
    x: Tensor, field: Tensor, kernel: int, scale: int, size: tuple[int, int], softmax: bool
) -> Tensor:
    """Weighted sums (B, C, H', W') of k x k neighbours.

    Args:
        x: (B, C, H, W).
        field: (B, G k^2 s^2, h, w); channel ((g * k^2 + tap) * s + i) * s + j holds group g's
            weight of a tap at sub-pixel (row i, column j) of its pixels. Output pixels read the
            nearest of its (s h, s w) sub-pixels.
        kernel: k.
        scale: s.
        size: (H', W').
        softmax: the field holds logits, whose softmax over the taps are the weights.
    """
    if runs_fused("reassemble", x, field, kernel=kernel):
        out: Tensor = _forward(x, field, kernel, scale, *size, softmax)
        return out
    if graph_sampler() is not None:
        return graph.reassemble(x, field, kernel, scale, size, softmax)
    return eager.reassemble(x, field, kernel, scale, size, softmax)


@torch.library.custom_op("dysample::reassemble", mutates_args=(), device_types=DEVICES)
def _forward(
    x: Tensor, field: Tensor, kernel: int, scale: int, height: int, width: int, softmax: bool
) -> Tensor:
    kernels = fused("reassemble", x)
    out: Tensor = kernels.reassemble(x, field, kernel, scale, (height, width), softmax)
    return out


@_forward.register_fake
def _(
    x: Tensor, field: Tensor, kernel: int, scale: int, height: int, width: int, softmax: bool
) -> Tensor:
    return empty_like_input(x, (x.shape[0], x.shape[1], height, width))


@torch.library.custom_op("dysample::reassemble_backward", mutates_args=(), device_types=DEVICES)
def _backward(
    high: Tensor,
    x: Tensor,
    field: Tensor,
    kernel: int,
    scale: int,
    softmax: bool,
    to_x: bool,
    to_field: bool,
) -> tuple[Tensor, Tensor]:
    wanted = (to_x, to_field)
    of_x, of_field = fused("reassemble", x).reassemble_backward(
        high, x, field, kernel, scale, softmax, wanted
    )
    return or_nothing(of_x, x), or_nothing(of_field, field)


@_backward.register_fake
def _(
    high: Tensor,
    x: Tensor,
    field: Tensor,
    kernel: int,
    scale: int,
    softmax: bool,
    to_x: bool,
    to_field: bool,
) -> tuple[Tensor, Tensor]:
    of_x = torch.empty_like(x, memory_format=format_of(x)) if to_x else None
    of_field = torch.empty_like(field) if to_field else None
    return or_nothing(of_x, x), or_nothing(of_field, field)


register(_forward, _backward, "reassemble", size=2)


@register_flop_formula(torch.ops.dysample.reassemble)
def _(x: Any, field: Any, kernel: int, *rest: Any, out_shape: Any, **options: Any) -> int:
    """Count one multiply-add for each output element and tap."""
    return int(2 * kernel**2 * prod(out_shape))


@register_flop_formula(torch.ops.dysample.reassemble_backward)
def _(high: Any, x: Any, field: Any, kernel: int, *rest: Any, **options: Any) -> int:
    """Count as many for each of the two gradients."""
    to_x, to_field = rest[2:4]
    return int(2 * kernel**2 * prod(high) * (to_x + to_field))
