"""`point_attention`: no kernels yet, so plain torch, or a graph for exporters."""

from __future__ import annotations

from torch import Tensor

from dysample.backends import eager, graph
from dysample.ops.dispatch import graph_sampler


def point_attention(x: Tensor, query: Tensor, key: Tensor, offset: Tensor, groups: int) -> Tensor:
    """See `dysample.functional.point_attention`."""
    sampler = graph_sampler()
    if sampler is not None:
        return graph.point_attention(x, query, key, offset, groups, sampler)
    return eager.point_attention(x, query, key, offset, groups)
