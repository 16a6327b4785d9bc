"""`reassemble` and `affinity` on Triton's kernels: one trilinear form and its derivatives."""

from __future__ import annotations

import torch
from torch import Tensor

from dysample.backends.gpu.launch import Maps, fold_to, run
from dysample.backends.gpu.tiles import PLACES, REGISTERS, places_of, share_of
from dysample.backends.gpu.window import by_high, by_tap
from dysample.backends.gpu.window_low import by_low
from dysample.backends.tensors import alike, dense
from dysample.layout import compute_dtype, empty_like_input, format_of


def reassemble(
    x: Tensor, field: Tensor, kernel: int, scale: int, size: tuple[int, int], softmax: bool
) -> Tensor:
    """See `dysample.ops.reassemble`."""
    x, _ = dense(x)
    out = empty_like_input(x, (x.shape[0], x.shape[1], *size))
    if out.numel() == 0:
        return out
    # Not in the kernel: each of the programs that share a group's channels would repeat it.
    weights = _softmax(field, kernel, scale, compute_dtype(x)) if softmax else field
    maps = _maps("reassemble", x, size, weights, kernel, scale)
    tile = maps.tile("by_high")
    tiles, layout = (
        maps.tiles(tile, _low(x)),
        _Layout(maps, REGISTERS[maps.last] // (kernel**2 + 1)),
    )
    programs = tiles[0] * maps.all_groups * layout.parts
    share = share_of(tile, maps.channels, programs)
    run(
        by_high, (programs, -(-maps.channels // (share * tile.BC))),
        (x, weights, out, *maps.sizes(tiles, share), layout.parts, layout.strips),
        K=kernel, **layout.constants, **maps.of_field(), **maps.constants(tile, share),
    )  # fmt: skip
    return out


def reassemble_backward(
    high: Tensor,
    x: Tensor,
    field: Tensor,
    kernel: int,
    scale: int,
    softmax: bool,
    wanted: tuple[bool, bool],
) -> tuple[Tensor | None, Tensor | None]:
    """Return the requested gradients of x and of the field; all sums are in one order."""
    x, _ = dense(x)
    high = high.contiguous(memory_format=format_of(x))
    to_x = torch.empty_like(x) if wanted[0] else None
    to_field = torch.empty_like(field) if wanted[1] else None
    if high.numel() == 0:
        zeros = [None if grad is None else grad.zero_() for grad in (to_x, to_field)]
        return zeros[0], zeros[1]
    weights = _softmax(field, kernel, scale, compute_dtype(x)) if softmax else field
    maps = _maps("reassemble_backward", x, _low(high), weights, kernel, scale)
    if to_x is not None:
        _spread(maps, high, to_x, kernel)
    if to_field is not None and softmax:
        grad = torch.empty_like(weights)
        _products(maps, high, grad, kernel)
        grad, weights = _by_taps(grad, kernel, scale), _by_taps(weights, kernel, scale)
        slope = torch.ops.aten._softmax_backward_data(grad, weights, 2, weights.dtype)
        to_field.copy_(slope.reshape(field.shape))
    elif to_field is not None:
        _products(maps, high, to_field, kernel)
    return to_x, to_field


def affinity(query: Tensor, key: Tensor, kernel: int, groups: int) -> Tensor:
    """See `dysample.ops.affinity`."""
    query, key, _ = alike(query, key)
    shape = (query.shape[0], groups * kernel**2, *query.shape[2:])
    if query.shape[1] == 0:
        return query.new_zeros(shape, dtype=compute_dtype(query))
    out = query.new_empty(shape, dtype=compute_dtype(query))
    if out.numel() > 0:
        maps = _maps("affinity", key, _low(query), out, kernel, 1)
        _products(maps, query, out, kernel)
    return out


def affinity_backward(
    high: Tensor, query: Tensor, key: Tensor, kernel: int, groups: int, wanted: tuple[bool, bool]
) -> tuple[Tensor | None, Tensor | None]:
    """Return the requested gradients of the query and of the key.

    The gradient of the logits acts as the weights: see the same function for a CPU.
    """
    dtypes = query.dtype, key.dtype
    query, key, _ = alike(query, key)
    to_query = reassemble(key, high, kernel, 1, _low(query), False) if wanted[0] else None
    to_key = None
    if wanted[1]:
        to_key, _ = reassemble_backward(query, key, high, kernel, 1, False, (True, False))
    return (
        None if to_query is None else to_query.to(dtypes[0]),
        None if to_key is None else to_key.to(dtypes[1]),
    )


def _maps(
    name: str, x: Tensor, size: tuple[int, int], field: Tensor, kernel: int, scale: int
) -> Maps:
    return Maps(name, x, size, field, scale, field.shape[1] // (kernel * scale) ** 2)


def _low(x: Tensor) -> tuple[int, int]:
    return x.shape[2], x.shape[3]


def _by_taps(field: Tensor, kernel: int, scale: int) -> Tensor:
    """View a dense field as (B, G, k^2, s^2, h, w)."""
    B, planes, h, w = field.shape
    return field.reshape(B, planes // (kernel * scale) ** 2, kernel**2, scale**2, h, w)


def _softmax(field: Tensor, kernel: int, scale: int, dtype: torch.dtype) -> Tensor:
    """Weights (B, G k^2 s^2, h, w) of a field of logits."""
    logits = field.contiguous()
    return _by_taps(logits, kernel, scale).softmax(2, dtype=dtype).reshape(field.shape)


class _Layout:
    """Which places of its home pixels a program takes, at most some, and in how many parts all."""

    def __init__(self, maps: Maps, most: int) -> None:
        rows, columns = (-(-out // n) for out, n in zip(maps.size, maps.low.shape[2:]))
        NI, PJ = places_of(rows, columns, max(1, min(PLACES, most)))
        self.places = NI * PJ
        self.strips = -(-columns // PJ)
        self.parts = self.strips * -(-rows // NI)
        # Pairs lie side by side where every home pixel owns the same even number of columns.
        pair = not maps.last and PJ % 2 == 0 and maps.ratio > 0 and maps.ratio % 2 == 0
        self.constants = {"NI": NI, "PJ": PJ, "PAIR": pair}


def _products(maps: Maps, high: Tensor, grad: Tensor, kernel: int) -> None:
    """Write inner products over the channels to the gradient of a field."""
    high = high.contiguous(memory_format=format_of(maps.low))
    once, scale = grad, maps.scale
    if not maps.same:
        shape = (maps.low.shape[0], maps.groups * kernel**2, *maps.size)
        once, scale = grad.new_empty(shape, dtype=compute_dtype(high)), 1
    maps = _maps(maps.name, maps.low, maps.size, once, kernel, scale)
    layout = _Layout(maps, REGISTERS[maps.last] // (kernel**2 + 1))
    taps = max(1, REGISTERS[maps.last] // layout.places)
    tile = maps.tile("by_tap")
    tiles, share = maps.tiles(tile, _low(maps.low)), -(-maps.channels // tile.BC)
    for first in range(0, kernel**2, taps):
        run(
            by_tap, (tiles[0] * maps.all_groups * layout.parts,),
            (maps.low, high, once, *maps.sizes(tiles, share), layout.parts, layout.strips),
            K=kernel, T0=first, TN=min(taps, kernel**2 - first), **layout.constants,
            **maps.of_field(), **maps.constants(tile, share),
        )  # fmt: skip
    if once is not grad:
        fold_to(once, grad, round((grad.shape[1] // once.shape[1]) ** 0.5))


def _spread(maps: Maps, high: Tensor, to_x: Tensor, kernel: int) -> None:
    """Write the gradient of low-res features."""
    tile = maps.tile("by_low")
    tiles, layout = maps.tiles(tile, _low(maps.low)), _Layout(maps, 4)
    side_by_side = maps.same and (maps.scale % 2 == 0 or maps.scale == 1)
    pair = layout.constants["PAIR"] and side_by_side
    run(
        by_low, (tiles[0] * maps.all_groups, -(-maps.channels // tile.BC)),
        (high, maps.field, to_x, *maps.sizes(tiles, 1), layout.parts, layout.strips),
        K=kernel, **{**layout.constants, "PAIR": pair}, **maps.of_field(),
        **maps.constants(tile, 1),
    )  # fmt: skip
