"""The primitives in plain torch operations: every device, dtype, compiler and exporter."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from dysample.backends.points import Attention
from dysample.backends.shifts import ShiftedProduct, ShiftedSum
from dysample.geometry import nearest_index, pixel_shuffle, read_nearest, sampling_positions
from dysample.layout import compute_dtype, like_input


def point_sample(
    x: Tensor, field: Tensor, scale: int, size: tuple[int, int], start: str = "bilinear"
) -> Tensor:
    """See `dysample.ops.point_sample`."""
    B, C, H, W = x.shape
    offset = read_nearest(pixel_shuffle(field, scale), size)
    G = offset.shape[1] // 2
    positions = sampling_positions(offset, (H, W), start, compute_dtype(x))
    # grid_sample's backward writes out of bounds at NaN positions; beyond the border it is 0.
    grid = _grid(positions, (H, W)).nan_to_num(nan=-2).reshape(B * G, *size, 2)
    flat = x.reshape(B * G, C // G, H, W).to(grid.dtype)
    out = F.grid_sample(flat, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return like_input(out.reshape(B, C, *size), x)


def _grid(positions: Tensor, in_size: tuple[int, int]) -> Tensor:
    """Convert positions (B, G, 2, Y, X) in low-res pixels to the coordinates of `grid_sample`."""
    p_x, p_y = positions.unbind(2)
    H, W = in_size
    # grid_sample counts from -1 to 1 between the map's outer edges.
    return torch.stack(((2 * p_x + 1) / W - 1, (2 * p_y + 1) / H - 1), dim=-1)


def reassemble(
    x: Tensor,
    field: Tensor,
    kernel: int,
    scale: int,
    size: tuple[int, int],
    softmax: bool = False,
) -> Tensor:
    """See `dysample.ops.reassemble`."""
    spread = read_nearest(pixel_shuffle(field, scale), size)
    weight = spread.reshape(x.shape[0], spread.shape[1] // kernel**2, kernel**2, *size)
    if softmax:
        weight = weight.to(compute_dtype(x)).softmax(2)
    H, W = x.shape[-2:]
    Y, X = weight.shape[-2:]
    if Y % H == 0 and X % W == 0:
        return like_input(_reassemble_whole(x, weight), x)
    # At other ratios every low-res pixel owns either n or n - 1 output pixels an axis. Giving
    # each of them n slots makes the ratio whole; the slots that nobody owns are padding, computed
    # and discarded.
    to_slot_y, from_slot_y = _slots(Y, H, x.device)
    to_slot_x, from_slot_x = _slots(X, W, x.device)
    slotted = weight.index_select(-2, to_slot_y).index_select(-1, to_slot_x)
    out = _reassemble_whole(x, slotted)
    return like_input(out.index_select(-2, from_slot_y).index_select(-1, from_slot_x), x)


def affinity(query: Tensor, key: Tensor, kernel: int, groups: int = 1) -> Tensor:
    """See `dysample.functional.affinity`."""
    H, W = key.shape[-2:]
    Y, X = query.shape[-2:]
    if Y % H == 0 and X % W == 0:
        return _affinity_whole(query, key, kernel, groups)
    to_slot_y, from_slot_y = _slots(Y, H, key.device)
    to_slot_x, from_slot_x = _slots(X, W, key.device)
    slotted = query.index_select(-2, to_slot_y).index_select(-1, to_slot_x)
    out = _affinity_whole(slotted, key, kernel, groups)
    return out.index_select(-2, from_slot_y).index_select(-1, from_slot_x)


def point_attention(
    x: Tensor, query: Tensor, key: Tensor, field: Tensor, scale: int, groups: int
) -> tuple[Tensor, Tensor]:
    """See `dysample.ops.point_attention`."""
    offset = read_nearest(pixel_shuffle(field, scale), (query.shape[2], query.shape[3]))
    out, weights = Attention.apply(x, query, key, offset, groups)
    return out, weights


def _reassemble_whole(x: Tensor, weight: Tensor) -> Tensor:
    """Sum of k*k shifted multiply-adds, at a whole number of output pixels a low-res pixel."""
    B, C, H, W = x.shape
    G, taps, Y, X = weight.shape[1:]
    dtype = compute_dtype(x)
    padded = _pad(x.to(dtype), round(taps**0.5), G)
    weights = weight.to(dtype).reshape(B * G, taps, H, Y // H, W, X // W)
    out: Tensor = ShiftedSum.apply(padded, weights)
    return out.reshape(B, C, Y, X)


def _affinity_whole(query: Tensor, key: Tensor, kernel: int, groups: int) -> Tensor:
    """Inner products with k*k shifts, at a whole number of output pixels a low-res pixel."""
    B, C, H, W = key.shape
    Y, X = query.shape[-2:]
    dtype = compute_dtype(query)
    padded = _pad(key.to(dtype), kernel, groups)
    high = query.to(dtype).reshape(B * groups, C // groups, H, Y // H, W, X // W)
    out: Tensor = ShiftedProduct.apply(padded, high)
    return out.reshape(B, groups, kernel**2, Y, X)


def _pad(x: Tensor, kernel: int, groups: int) -> Tensor:
    """Split into groups and pad with zeros: (B * G, C / G, H + 2r, W + 2r)."""
    B, C, H, W = x.shape
    r = (kernel - 1) // 2
    # Contiguous, as everything else in the loops: mixed layouts would halve their speed.
    padded = F.pad(x.contiguous(), (r, r, r, r))
    return padded.reshape(B * groups, C // groups, H + 2 * r, W + 2 * r)


def _slots(out_length: int, in_length: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Maps between output pixels and the slots of a whole ratio: (slot -> pixel, pixel -> slot)."""
    ratio = -(-out_length // in_length)
    owner = nearest_index(out_length, in_length, device)
    pixel = torch.arange(in_length, device=device)
    # First output pixel of each low-res pixel: the least Y with (Y + 1/2) * H / H' >= h.
    first = -torch.div(in_length - 2 * pixel * out_length, 2 * in_length, rounding_mode="floor")
    to_slot = (first.view(-1, 1) + torch.arange(ratio, device=device)).reshape(-1)
    from_slot = ratio * owner + torch.arange(out_length, device=device) - first[owner]
    return to_slot.clamp(max=out_length - 1), from_slot
