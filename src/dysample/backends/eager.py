"""The primitives in plain torch operations: every device, dtype, compiler and exporter."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from dysample.geometry import nearest_index, regular_position
from dysample.layout import compute_dtype, like_input


def point_sample(x: Tensor, offset: Tensor, start: str = "bilinear") -> Tensor:
    """See `dysample.functional.point_sample`."""
    B, C, H, W = x.shape
    Y, X = offset.shape[-2:]
    G = offset.shape[1] // 2
    positions = sampling_positions(offset, (H, W), start, compute_dtype(x))
    p_x, p_y = positions.unbind(2)
    # grid_sample counts from -1 to 1 between the map's outer edges.
    grid = torch.stack(((2 * p_x + 1) / W - 1, (2 * p_y + 1) / H - 1), dim=-1)
    grid = grid.reshape(B * G, Y, X, 2)
    flat = x.reshape(B * G, C // G, H, W).to(grid.dtype)
    out = F.grid_sample(flat, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return like_input(out.reshape(B, C, Y, X), x)


def sampling_positions(
    offset: Tensor, in_size: tuple[int, int], start: str, dtype: torch.dtype
) -> Tensor:
    """Positions (B, G, 2, Y, X) sampled for offsets (B, 2G, Y, X), x then y, in low-res pixels."""
    B, planes, Y, X = offset.shape
    whole_y, part_y = regular_position(Y, in_size[0], start, dtype, offset.device)
    whole_x, part_x = regular_position(X, in_size[1], start, dtype, offset.device)
    whole = torch.stack((whole_x.view(1, X).expand(Y, X), whole_y.view(Y, 1).expand(Y, X)))
    part = torch.stack((part_x.view(1, X).expand(Y, X), part_y.view(Y, 1).expand(Y, X)))
    shift = offset.to(dtype).reshape(B, 2, planes // 2, Y, X).transpose(1, 2)
    # The small numbers first: pixel indices near 1000 leave few bits for an offset.
    return whole.to(dtype) + (part + shift)


def reassemble(x: Tensor, weight: Tensor) -> Tensor:
    """See `dysample.functional.reassemble`."""
    H, W = x.shape[-2:]
    Y, X = weight.shape[-2:]
    if Y % H == 0 and X % W == 0:
        return like_input(_reassemble_whole(x, weight), x)
    # At other ratios every low-res pixel owns either n or n - 1 output pixels an axis. Giving
    # each of them n slots makes the ratio whole; the slots that nobody owns are computed in vain.
    to_slot_y, from_slot_y = _slots(Y, H, x.device)
    to_slot_x, from_slot_x = _slots(X, W, x.device)
    slotted = weight.index_select(-2, to_slot_y).index_select(-1, to_slot_x)
    out = _reassemble_whole(x, slotted)
    return like_input(out.index_select(-2, from_slot_y).index_select(-1, from_slot_x), x)


def _reassemble_whole(x: Tensor, weight: Tensor) -> Tensor:
    """Sum of k*k shifted multiply-adds, at a whole number of output pixels a low-res pixel.

    Each of the i, j sub-positions is a map of low-res size, so that the shifted features are
    read as they are: neither unfolded (k*k times the memory) nor upsampled beforehand.
    """
    B, C, H, W = x.shape
    G, taps, Y, X = weight.shape[1:]
    dtype = compute_dtype(x)
    k, i, j = round(taps**0.5), Y // H, X // W
    r = (k - 1) // 2
    padded = F.pad(x.to(dtype), (r, r, r, r)).reshape(B * G, C // G, 1, H + 2 * r, W + 2 * r)
    split = weight.to(dtype).reshape(B * G, taps, H, i, W, j).permute(0, 1, 3, 5, 2, 4)
    split = split.reshape(B * G, taps, 1, i * j, H, W)
    out = padded.new_zeros(B * G, C // G, i * j, H, W)
    tap = 0
    for dy in range(k):
        for dx in range(k):
            # In place: autograd keeps only views of the two factors, not k*k partial sums.
            out.addcmul_(padded.narrow(-2, dy, H).narrow(-1, dx, W), split[:, tap])
            tap += 1
    out = out.reshape(B * G, C // G, i, j, H, W).permute(0, 1, 4, 2, 5, 3)
    return out.reshape(B, C, Y, X)


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
