"""`point_attention`: sums over points, which the CPU kernels of `point_sample` can sample."""

from __future__ import annotations

from torch import Tensor

from dysample.backends import eager, graph
from dysample.ops.dispatch import graph_sampler, runs_on_cpu


def point_attention(x: Tensor, query: Tensor, key: Tensor, offset: Tensor, groups: int) -> Tensor:
    """See `dysample.functional.point_attention`."""
    if runs_on_cpu("point_attention", x, query, key, offset, mapped=False):
        return eager.point_attention(x, query, key, offset, groups, kernels=True)
    sampler = graph_sampler()
    if sampler is not None:
        return graph.point_attention(x, query, key, offset, groups, sampler)
    return eager.point_attention(x, query, key, offset, groups)
