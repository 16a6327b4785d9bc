"""What operators return in place of nothing, how mapped batches become one, second derivatives."""

from __future__ import annotations

from typing import Any

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


def unfolded(size: int, value: Tensor) -> tuple[Tensor, int | None]:
    """A result with its mapped axis first, and that axis; what stands for nothing has none."""
    if value.dim() == 1:
        return value, None
    return value.reshape(size, value.shape[0] // size, *value.shape[1:]), 0


def map_by_batch(op: Any, tensors: int) -> None:
    """Register vmap: images of all the mapped batches are images of one batch.

    Args:
        op: an operator.
        tensors: how many of its arguments, the first ones, are tensors with a batch.
    """

    def rule(info: Any, in_dims: tuple[int | None, ...], *arguments: Any) -> Any:
        size = info.batch_size
        result = op(*folded(size, in_dims, *arguments[:tensors]), *arguments[tensors:])
        if isinstance(result, Tensor):
            return unfolded(size, result)
        return tuple(zip(*(unfolded(size, value) for value in result)))

    op.register_vmap(rule)


def refuse_second_derivative(op: Any, name: str) -> None:
    """Register the gradient of a backward operator: a message."""

    def refuse(ctx: Any, *gradients: Tensor) -> None:
        raise NotImplementedError(
            f"`{name}` has no second derivative on the CPU kernels;"
            " `dysample.backend('eager')` runs plain torch"
        )

    op.register_autograd(refuse)
