"""DySample's offset field as a torch operator: a 1x1 convolution times a factor or a gate."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.flop_counter import register_flop_formula

from dysample.backends.cpu import point_sample as cpu
from dysample.layout import compute_dtype, empty_like_input, format_of
from dysample.ops.dispatch import runs_fused
from dysample.ops.registration import folded, or_nothing, unfolded


def offset_field(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    scope_weight: Tensor | None,
    scope_bias: Tensor | None,
    factor: float,
) -> Tensor:
    """Convolve to offsets: factor * (weight x + bias), or with a gate in place of the factor.

    The gate is 2 * factor * sigmoid(scope x + bias).

    Args:
        x: (B, C, H, W).
        weight: (O, C, 1, 1).
        bias: (O,), or nothing.
        scope_weight: (O, C, 1, 1) for a gate, or nothing.
        scope_bias: (O,), or nothing.
        factor: range of the offsets.

    Returns:
        (B, O, H, W), from the CPU kernels in float32 or more: offsets need the bits.
    """
    if runs_fused("offset_field", x, weight, bias, scope_weight, scope_bias):
        # Keep what only the backward pass needs only if there will be one.
        parameters = (x, weight, bias, scope_weight, scope_bias)
        keep = torch.is_grad_enabled() and any(
            p is not None and p.requires_grad for p in parameters
        )
        field: Tensor = _forward(*parameters, factor, keep)[0]
        return field
    if scope_weight is None:
        return F.conv2d(x, weight, bias) * factor
    return F.conv2d(x, weight, bias) * (
        F.conv2d(x, scope_weight, scope_bias).sigmoid() * (2 * factor)
    )


@torch.library.custom_op("dysample::offset_field", mutates_args=(), device_types="cpu")
def _forward(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    scope_weight: Tensor | None,
    scope_bias: Tensor | None,
    factor: float,
    keep: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    field, linear, gate = cpu.offset_field(x, weight, bias, scope_weight, scope_bias, factor, keep)
    return field, or_nothing(linear, field), or_nothing(gate, field)


@_forward.register_fake
def _(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    scope_weight: Tensor | None,
    scope_bias: Tensor | None,
    factor: float,
    keep: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    shape = (x.shape[0], weight.shape[0], x.shape[2], x.shape[3])

    def empty() -> Tensor:
        return empty_like_input(x, shape, compute_dtype(x))

    field, dynamic = empty(), keep and scope_weight is not None
    return (
        field,
        or_nothing(empty() if dynamic else None, field),
        or_nothing(empty() if dynamic else None, field),
    )


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    x, weight, bias, scope_weight, scope_bias, ctx.factor, _ = inputs
    _, linear, gate = output
    ctx.save_for_backward(x, weight, bias, scope_weight, scope_bias, linear, gate)
    ctx.mark_non_differentiable(linear, gate)


def _gradients(ctx: Any, high: Tensor, *unused: Any) -> tuple[Tensor | None, ...]:
    x, weight, bias, scope_weight, scope_bias, linear, gate = ctx.saved_tensors
    to_x, to_weight, to_bias, to_scope, to_scope_bias = ctx.needs_input_grad[:5]
    if scope_weight is None:
        parts = [(weight, high * ctx.factor)]
    else:
        if torch.is_grad_enabled():  # a second derivative needs their history
            linear = _convolved(x, weight, bias, high.dtype)
            gate = _convolved(x, scope_weight, scope_bias, high.dtype).sigmoid() * (2 * ctx.factor)
        # gate = 2 factor sigmoid(scope), whose slope is gate * (1 - gate / (2 factor)).
        of_scope = high * linear * gate * (1 - gate / (2 * ctx.factor))
        parts = [(weight, high * gate), (scope_weight, of_scope)]
    of_x = None
    if to_x:
        last = format_of(x) == torch.channels_last
        of_x = _product(*parts[0], last)
        for part in parts[1:]:
            of_x += _product(*part, last)
        of_x = of_x.to(x.dtype)
    of_parameters: list[Tensor | None] = []
    for (matrix, part), constant, of_matrix, of_constant in zip(
        parts, (bias, scope_bias), (to_weight, to_scope), (to_bias, to_scope_bias)
    ):
        of_parameters += [
            _outer(part, x).reshape(matrix.shape).to(matrix.dtype) if of_matrix else None,
            part.sum((0, 2, 3)).to(constant.dtype) if of_constant else None,
        ]
    of_parameters += [None] * (4 - len(of_parameters))
    return of_x, *of_parameters, None, None


def _convolved(x: Tensor, weight: Tensor, bias: Tensor | None, dtype: torch.dtype) -> Tensor:
    return F.conv2d(x.to(dtype), weight.to(dtype), None if bias is None else bias.to(dtype))


def _product(matrix: Tensor, part: Tensor, last: bool) -> Tensor:
    """(O, C, 1, 1) transposed times (B, O, H, W): (B, C, H, W), channels innermost if `last`."""
    B, planes, H, W = part.shape
    C = matrix.shape[1]
    flat = matrix.to(part.dtype).reshape(planes, C)
    if last:
        out = part.permute(0, 2, 3, 1).reshape(-1, planes) @ flat
        return out.reshape(B, H, W, C).permute(0, 3, 1, 2)
    # bmm, not matmul, which copies both operands to make one product of the batch.
    out = torch.bmm(flat.t().expand(B, -1, -1), part.reshape(B, planes, H * W))
    return out.reshape(B, C, H, W)


def _outer(part: Tensor, x: Tensor) -> Tensor:
    """Sum over images and pixels of the products of (B, O, H, W) with (B, C, H, W): (O, C)."""
    B, planes, H, W = part.shape
    # reshape, because batched gradients do not support flatten.
    pixels = x.to(part.dtype).reshape(B, x.shape[1], H * W)
    return torch.bmm(part.reshape(B, planes, H * W), pixels.transpose(1, 2)).sum(0)


_forward.register_autograd(_gradients, setup_context=_save)


@_forward.register_vmap
def _(info: Any, in_dims: tuple[int | None, ...], x: Tensor, *rest: Any) -> Any:
    """Fold mapped batches into one batch; loop over mapped weights."""
    size = info.batch_size
    if all(axis is None for axis in in_dims[1:]):
        results = _forward(*folded(size, in_dims, x), *rest)
        return tuple(zip(*(unfolded(size, value) for value in results)))

    def turn(i: int) -> Any:
        return _forward(
            *(v if axis is None else v.select(axis, i) for v, axis in zip((x, *rest), in_dims))
        )

    turns = [turn(i) for i in range(size)]
    return tuple(torch.stack(values) for values in zip(*turns)), (0, 0, 0)


@register_flop_formula(torch.ops.dysample.offset_field)
def _(x: Any, weight: Any, bias: Any, scope: Any, *rest: Any, **options: Any) -> int:
    """Count one multiply-add for each weight and pixel."""
    B, C, H, W = x
    return int(2 * B * H * W * C * weight[0] * (1 if scope is None else 2))
