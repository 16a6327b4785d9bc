"""Register the gradient and the vmap rule of an operator, and refuse second derivatives."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from torch import Tensor

from dysample.backends.gpu import support
from dysample.ops.dispatch import forced

DEVICES = ("cpu", "cuda")
"""Types of the devices for which the operators have kernels; "cuda" is AMD's too."""


def fused(part: str, x: Tensor) -> Any:
    """Return the module of the fused kernels that run where a tensor lies.

    Those of Triton are imported by their first call.

    Args:
        part: name of the module, in `backends.cpu` and `backends.gpu`.
        x: the tensor.

    Raises:
        RuntimeError: if Triton cannot run there. `dispatch` calls no operator then.
    """
    if x.device.type == "cpu" and forced() != "triton":
        return import_module(f"dysample.backends.cpu.{part}")
    reason = support.why_not(x.device)
    if reason is not None:
        raise RuntimeError(f"{part}: the Triton kernels cannot run this call: {reason}")
    return import_module(f"dysample.backends.gpu.{part}")


def or_nothing(value: Tensor | None, like: Tensor) -> Tensor:
    """Operators can only return tensors, so an empty one stands for an unrequested result."""
    return like.new_empty(0) if value is None else value


def folded(size: int, axes: tuple[int | None, ...], *values: Tensor) -> list[Tensor]:
    """Join the mapped axis of each tensor with its batch axis, which comes first."""
    spread = [
        value.expand(size, *value.shape) if axis is None else value.movedim(axis, 0)
        for value, axis in zip(values, axes)
    ]
    return [value.flatten(0, 1) for value in spread]


def unfolded(size: int, value: Tensor) -> tuple[Tensor, int | None]:
    """Split the mapped axis off again and return it with its index; empty stand-ins have none."""
    if value.dim() == 1:
        return value, None
    return value.reshape(size, value.shape[0] // size, *value.shape[1:]), 0


def register(
    forward: Any,
    backward: Any,
    name: str,
    *,
    maps: int = 2,
    outputs: int = 1,
    size: int | None = None,
) -> None:
    """Register the gradient of an operator on maps, vmap of both, and no second derivative.

    Args:
        forward: an operator of (*maps, *rest) that returns one tensor, or `outputs`.
        backward: an operator of (*gradients of the outputs, *maps, *outputs but the first, *rest
            without the size, *which gradients are requested), that returns a gradient for each map.
        name: of the primitive, for errors.
        maps: how many of the leading arguments are maps with a batch.
        outputs: number of outputs of `forward`; all have a batch.
        size: index of the output's height and width in `rest`, if they are there.
    """

    def save(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.rest = inputs[maps:]
        ctx.save_for_backward(*inputs[:maps], *(output[1:] if outputs > 1 else ()))

    def gradients(ctx: Any, *high: Tensor) -> tuple[Tensor | None, ...]:
        rest, wanted = ctx.rest, ctx.needs_input_grad[:maps]
        if size is not None:
            rest = rest[:size] + rest[size + 2 :]
        found = backward(*high, *ctx.saved_tensors, *rest, *wanted)
        asked = [value if want else None for value, want in zip(found, wanted)]
        return *asked, *(None for _ in ctx.rest)

    forward.register_autograd(gradients, setup_context=save)
    _map_by_batch(forward, maps)
    _map_by_batch(backward, maps + 2 * outputs - 1)
    _refuse_second_derivative(backward, name)


def _map_by_batch(op: Any, tensors: int) -> None:
    """Register a vmap rule that folds the mapped axis into the batch.

    Args:
        op: an operator.
        tensors: how many of its leading arguments are tensors with a batch.
    """

    def rule(info: Any, in_dims: tuple[int | None, ...], *arguments: Any) -> Any:
        size = info.batch_size
        result = op(*folded(size, in_dims, *arguments[:tensors]), *arguments[tensors:])
        if isinstance(result, Tensor):
            return unfolded(size, result)
        return tuple(zip(*(unfolded(size, value) for value in result)))

    op.register_vmap(rule)


def _refuse_second_derivative(op: Any, name: str) -> None:
    """Make the gradient of a backward operator an error."""

    def refuse(ctx: Any, *gradients: Tensor) -> None:
        raise NotImplementedError(
            f"`{name}` has no second derivative in the fused kernels;"
            " `dysample.backend('eager')` runs plain torch"
        )

    op.register_autograd(refuse)
