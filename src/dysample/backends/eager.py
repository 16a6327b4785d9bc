"""The primitives in plain torch operations: every device, dtype, compiler and exporter."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

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
    # Contiguous, as everything else in the loops: mixed layouts would halve their speed.
    padded = F.pad(x.to(dtype).contiguous(), (r, r, r, r))
    padded = padded.reshape(B * G, C // G, H + 2 * r, W + 2 * r)
    split = weight.to(dtype).reshape(B * G, taps, H, i, W, j).permute(0, 1, 3, 5, 2, 4)
    split = split.reshape(B * G, taps, i * j, H, W)
    out: Tensor = _ShiftedSum.apply(padded, split)
    out = out.reshape(B * G, C // G, i, j, H, W).permute(0, 1, 4, 2, 5, 3)
    return out.reshape(B, C, Y, X)


class _ShiftedSum(torch.autograd.Function):
    """Sum over the taps of shifted features (N, C, H + 2r, W + 2r) times weights (N, k*k, S, H, W).

    Returns (N, C, S, H, W). Left to autograd, every shift would send back a gradient padded to
    the size of the features, and every product one of the size of the output.
    """

    @staticmethod
    def forward(ctx: Any, padded: Tensor, split: Tensor) -> Tensor:
        ctx.save_for_backward(padded, split)
        N, C = padded.shape[:2]
        out = padded.new_zeros(N, C, *split.shape[2:])
        for tap, near in enumerate(_shifts(padded, split)):
            out.addcmul_(near.unsqueeze(2), split[:, tap].unsqueeze(1))
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None]:
        padded, split = ctx.saved_tensors
        # One contiguous map (N, C, H, W) a sub-position: small enough to stay in the cache.
        parts = gradients[0].permute(2, 0, 1, 3, 4).contiguous().unbind()
        to_padded = to_split = None
        if ctx.needs_input_grad[0]:
            to_padded = torch.zeros_like(padded)
            for tap, near in enumerate(_shifts(to_padded, split)):
                for place, part in enumerate(parts):
                    near.addcmul_(part, split[:, tap, place].unsqueeze(1))
        if ctx.needs_input_grad[1]:
            to_split = torch.empty_like(split)
            product = torch.empty_like(parts[0])  # one buffer: fresh pages cost more than the sums
            for tap, near in enumerate(_shifts(padded, split)):
                for place, part in enumerate(parts):
                    torch.mul(part, near, out=product)
                    to_split[:, tap, place] = product.sum(1)
        return to_padded, to_split


def _shifts(padded: Tensor, split: Tensor) -> Iterator[Tensor]:
    """Views (N, C, H, W) of the padded features, one a tap, rows of taps first."""
    H, W = split.shape[-2:]
    for dy in range(padded.shape[-2] - H + 1):
        for dx in range(padded.shape[-1] - W + 1):
            yield padded.narrow(-2, dy, H).narrow(-1, dx, W)


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
