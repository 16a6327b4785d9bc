"""`point_sample` on Triton's kernels."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from dysample.backends.gpu.gather import collect, gather, reach, scatter
from dysample.backends.gpu.launch import Maps, fold_to, run
from dysample.backends.gpu.sample import sample, slopes
from dysample.backends.gpu.tiles import NEAR, share_of
from dysample.backends.tensors import dense, like_field
from dysample.layout import compute_dtype, empty_like_input, format_of

_LARGEST_TABLE = 2**30  # pixels of a low-res map whose corners a table tells from marks


def point_sample(
    x: Tensor, field: Tensor, scale: int, size: tuple[int, int], from_centre: bool
) -> Tensor:
    """See `dysample.ops.point_sample`."""
    x, _ = dense(x)
    out = empty_like_input(x, (x.shape[0], x.shape[1], *size))
    if out.numel() > 0:
        maps = Maps("point_sample", x, size, field, scale, field.shape[1] // (2 * scale**2))
        tile = maps.tile("sample")
        tiles = maps.tiles(tile)
        share = share_of(tile, maps.channels, tiles[0] * maps.all_groups)
        grid = (tiles[0] * maps.all_groups, -(-maps.channels // (share * tile.BC)))
        run(
            sample, grid, (x, field, out, *maps.sizes(tiles, share)),
            CENTRE=from_centre, **maps.of_field(), **maps.constants(tile, share),
        )  # fmt: skip
    return out


def point_sample_backward(
    high: Tensor,
    x: Tensor,
    field: Tensor,
    scale: int,
    from_centre: bool,
    wanted: tuple[bool, bool],
    near: int = NEAR,
) -> tuple[Tensor | None, Tensor | None]:
    """Return the requested gradients of x and of the field.

    That of x is gathered, where output pixels take what is within `near` low-res pixels from home,
    and added by atomics where they do not. Under `torch.use_deterministic_algorithms(True)` all of
    it is gathered.
    """
    x, last = dense(x)
    high = high.contiguous(memory_format=format_of(x))
    if high.numel() == 0:
        zeros = [torch.zeros_like(t) if want else None for t, want in zip((x, field), wanted)]
        return zeros[0], zeros[1]
    field, to_field = like_field(field, field.dtype, wanted[1], torch.empty_like)
    size = (high.shape[2], high.shape[3])
    maps = Maps("point_sample_backward", x, size, field, scale, field.shape[1] // (2 * scale**2))
    in_order = torch.are_deterministic_algorithms_enabled()
    gathers = wanted[0] and not in_order and not last and x.shape[2] * x.shape[3] < _LARGEST_TABLE
    table = _table(maps) if gathers else None
    if to_field is not None or table is not None:
        _slopes(maps, high, to_field, table, from_centre, near)
    to_x = None
    if wanted[0]:
        if in_order:
            to_x = _collected(maps, high, from_centre)
        else:
            to_x = _added(maps, high, table, from_centre, near)
    return None if to_x is None else to_x.to(x.dtype), to_field


def _table(maps: Maps) -> tuple[Tensor, Tensor]:
    """Return the unwritten table of `sample.record`: corners, and shares of their neighbours."""
    shape = (maps.all_groups, *maps.size)
    device, dtype = maps.low.device, compute_dtype(maps.low)
    return (
        torch.empty(shape, dtype=torch.int32, device=device),
        torch.empty((*shape, 2), dtype=dtype, device=device),
    )


def _slopes(
    maps: Maps,
    high: Tensor,
    to_field: Tensor | None,
    table: tuple[Tensor, Tensor] | None,
    from_centre: bool,
    near: int,
) -> None:
    """Write the gradient of the field, the table, or both."""
    x, dtype = maps.low, compute_dtype(maps.low)
    grad = to_field
    if to_field is not None and not maps.same:
        shape = (x.shape[0], 2 * maps.groups, *maps.size)
        grad = torch.empty(shape, dtype=dtype, device=x.device)
    tile = maps.tile("slopes")
    tiles, share = maps.tiles(tile), -(-maps.channels // tile.BC)
    # A tensor that is not written stands for what is not asked for.
    places, shares = table or (high, high)
    run(
        slopes, (tiles[0] * maps.all_groups,),
        (high, x, maps.field, high if grad is None else grad, places, shares,
         *maps.sizes(tiles, share)),
        GRAD=grad is not None, TABLE=table is not None, NEAR=near, CENTRE=from_centre,
        **maps.of_field(), **maps.constants(tile, share),
    )  # fmt: skip
    if to_field is not None and grad is not None and not maps.same:
        fold_to(grad, to_field, maps.scale)


def _added(
    maps: Maps, high: Tensor, table: tuple[Tensor, Tensor] | None, from_centre: bool, near: int
) -> Tensor:
    """Gather what lies near, if there is a table, and add the rest by atomics."""
    x = maps.low
    if table is None:
        to_x = torch.zeros_like(x, dtype=compute_dtype(x))
        places = high
    else:
        to_x = torch.empty_like(x, dtype=compute_dtype(x))
        _gather(maps, high, table, to_x, near)
        places = table[0]
    tile = maps.tile("scatter")
    tiles = maps.tiles(tile)
    share = share_of(tile, maps.channels, tiles[0] * maps.all_groups)
    if table is not None:  # next to nothing is added: its marks are read once
        share = -(-maps.channels // tile.BC)
    grid = (tiles[0] * maps.all_groups, -(-maps.channels // (share * tile.BC)))
    run(
        scatter, grid, (high, maps.field, to_x, places, *maps.sizes(tiles, share)),
        FAR=table is not None, CENTRE=from_centre,
        **maps.of_field(), **maps.constants(tile, share),
    )  # fmt: skip
    return to_x


def _gather(
    maps: Maps, high: Tensor, table: tuple[Tensor, Tensor], to_x: Tensor, near: int
) -> None:
    low = maps.low.shape[2:]
    # The output pixels at home in 2 near + 1 low-res pixels.
    rows, columns = (
        min(out, -(-(2 * near + 1) * out // length)) for out, length in zip(maps.size, low)
    )
    _low_res(gather, maps, (high, *table, to_x), (rows, columns), {"NEAR": near})


def _collected(maps: Maps, high: Tensor, from_centre: bool) -> Tensor:
    """Gather all, from as far as the offsets of a group and image reach."""
    bounds = torch.zeros((maps.all_groups, 4), dtype=torch.int32, device=high.device)
    tile = maps.tile("reach")
    tiles = maps.tiles(tile)
    options = {"CENTRE": from_centre, **maps.of_field()}
    of_map = maps.constants(tile, 1)
    run(
        reach, (tiles[0] * maps.all_groups,), (maps.field, bounds, *maps.sizes(tiles, 1)),
        **options, **{key: of_map[key] for key in ("RATIO", "TY", "TX", "A", "INDEX", "num_warps")},
    )  # fmt: skip
    to_x = torch.empty_like(maps.low)
    _low_res(collect, maps, (high, maps.field, bounds, to_x), (), options)
    return to_x


def _low_res(
    kernel: Any,
    maps: Maps,
    tensors: tuple[Tensor, ...],
    rest: tuple[int, ...],
    options: dict[str, Any],
) -> None:
    """Launch a kernel whose programs have tiles of low-res pixels and a block of channels."""
    tile, low = maps.tile(kernel.__name__), maps.low.shape[2:]
    tiles = maps.tiles(tile, (low[0], low[1]))
    grid = (tiles[0] * maps.all_groups, -(-maps.channels // tile.BC))
    run(
        kernel, grid, (*tensors, *maps.sizes(tiles, 1), *rest),
        **options, **maps.constants(tile, 1),
    )  # fmt: skip
