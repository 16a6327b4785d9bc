"""What operators return in place of nothing, and how mapped batches become one."""

from __future__ import annotations

from torch import Tensor


def or_nothing(value: Tensor | None, like: Tensor) -> Tensor:
    """Operators return tensors alone: an empty one stands for a result nobody wants."""
    return like.new_empty(0) if value is None else value


def folded(size: int, axes: tuple[int | None, ...], *values: Tensor) -> list[Tensor]:
    """Tensors whose mapped axis of that size is joined with their batch, which comes first."""
    spread = [
        value.expand(size, *value.shape) if axis is None else value.movedim(axis, 0)
        for value, axis in zip(values, axes)
    ]
    return [value.flatten(0, 1) for value in spread]
