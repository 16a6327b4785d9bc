"""`affinity` as a torch operator: schema, shapes, gradient, batching, cost."""

from __future__ import annotations

from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import register_flop_formula

from dysample.backends import eager, graph
from dysample.layout import compute_dtype, format_of
from dysample.ops.dispatch import graph_sampler, runs_fused
from dysample.ops.registration import DEVICES, fused, or_nothing, register


def affinity(query: Tensor, key: Tensor, kernel: int, groups: int) -> Tensor:
    """Inner products (B, G k^2, H', W') of a query with the keys around it.

    Groups and taps are one axis, as in the field that `reassemble` takes: torch's inductor cannot
    keep a view between the two operators for the backward pass at dynamic sizes.

    Args:
        query: (B, G E, H', W').
        key: (B, G E, H, W).
        kernel: k.
        groups: G.
    """
    if runs_fused("affinity", query, key, kernel=kernel):
        out: Tensor = _forward(query, key, kernel, groups)
        return out
    if graph_sampler() is not None:
        return graph.affinity(query, key, kernel, groups)
    return eager.affinity(query, key, kernel, groups).flatten(1, 2)


@torch.library.custom_op("dysample::affinity", mutates_args=(), device_types=DEVICES)
def _forward(query: Tensor, key: Tensor, kernel: int, groups: int) -> Tensor:
    kernels = fused("reassemble", query)
    out: Tensor = kernels.affinity(query, key, kernel, groups)
    return out


@_forward.register_fake
def _(query: Tensor, key: Tensor, kernel: int, groups: int) -> Tensor:
    B, _, Y, X = query.shape
    return query.new_empty((B, groups * kernel**2, Y, X), dtype=compute_dtype(query))


@torch.library.custom_op("dysample::affinity_backward", mutates_args=(), device_types=DEVICES)
def _backward(
    high: Tensor,
    query: Tensor,
    key: Tensor,
    kernel: int,
    groups: int,
    to_query: bool,
    to_key: bool,
) -> tuple[Tensor, Tensor]:
    wanted = (to_query, to_key)
    of_query, of_key = fused("reassemble", query).affinity_backward(
        high, query, key, kernel, groups, wanted
    )
    return or_nothing(of_query, query), or_nothing(of_key, key)


@_backward.register_fake
def _(
    high: Tensor,
    query: Tensor,
    key: Tensor,
    kernel: int,
    groups: int,
    to_query: bool,
    to_key: bool,
) -> tuple[Tensor, Tensor]:
    kind = format_of(query)
    of_query = torch.empty_like(query, memory_format=kind) if to_query else None
    of_key = torch.empty_like(key, memory_format=kind) if to_key else None
    return or_nothing(of_query, query), or_nothing(of_key, key)


register(_forward, _backward, "affinity")


@register_flop_formula(torch.ops.dysample.affinity)
def _(query: Any, key: Any, kernel: int, *rest: Any, **options: Any) -> int:
    """Count one multiply-add for each element of the query and tap."""
    return int(2 * kernel**2 * prod(query))


@register_flop_formula(torch.ops.dysample.affinity_backward)
def _(high: Any, query: Any, key: Any, kernel: int, *rest: Any, **options: Any) -> int:
    """Count as many for each of the two gradients."""
    to_query, to_key = rest[1:3]
    return int(2 * kernel**2 * prod(query) * (to_query + to_key))
