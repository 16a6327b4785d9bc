"""Where output pixels lie on the low-resolution map: sizes, nearest pixels, regular positions.

Convention
    Pixel centres lie at integers: low-res row h covers [h - 1/2, h + 1/2). Output row Y of H' looks
    at (Y + 1/2) * H / H' - 1/2 of the H low-res rows (align_corners=False). Columns alike.
    Everything is computed in integers until the last division, so rounding affects no size.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from dysample.fixed import cut, fixed, from_slots, ratios, spread


def ceil_scale(scale_factor: float) -> int:
    """Return the integer scale s of offsets and kernels: rounded up, at least 1."""
    return max(1, math.ceil(scale_factor))


def scaled_size(height: int, width: int, scale_factor: float) -> tuple[int, int]:
    """Output size with no target given: floor(H * scale_factor), as in `torch.nn.Upsample`."""
    return scaled_length(height, scale_factor), scaled_length(width, scale_factor)


def scaled_length(length: int, scale_factor: float) -> int:
    """floor(length * scale_factor), rounded as torch rounds it."""
    if isinstance(length, Tensor):  # in a trace
        return (length.double() * scale_factor).floor().long()
    above, below = float(scale_factor).as_integer_ratio()
    # Where the product is exact whole numbers give the same; exporters know no floor of floats.
    return length * above // below if below <= 1024 else math.floor(length * scale_factor)


def statically_true(condition: bool | torch.SymBool | Tensor) -> bool:
    """Whether a comparison of sizes is true; of symbolic sizes, whether it is true of all of them.

    An exported graph must hold for any size, so nothing in it may depend on the example's. In
    `torch.jit` traces sizes are tensors, and no comparison is known to hold for all of them.
    """
    if isinstance(condition, Tensor):
        return False
    if isinstance(condition, torch.SymBool):
        from torch.fx.experimental.symbolic_shapes import statically_known_true

        return statically_known_true(condition)
    return condition


def nearest_index(out_length: int, in_length: int, device: torch.device) -> Tensor:
    """Low-res pixel that holds each output pixel's centre: floor((Y + 1/2) * H / H'), int64."""
    double_centre = 2 * torch.arange(out_length, device=device) + 1
    return torch.div(double_centre * in_length, 2 * out_length, rounding_mode="floor")


def regular_position(
    out_length: int, in_length: int, start: str, dtype: torch.dtype, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Regular sampling position of each output pixel along one axis, as whole and fraction.

    Returns:
        (nearest low-res pixel as int64, the rest in [-1/2, 1/2) as `dtype`), both (out_length,).
        The rest is 0 for start="nearest": every output pixel then starts at a pixel's centre.
    """
    nearest = nearest_index(out_length, in_length, device)
    if start == "nearest":
        return nearest, torch.zeros(out_length, dtype=dtype, device=device)
    double_centre = 2 * torch.arange(out_length, device=device) + 1
    remainder = double_centre * in_length - (2 * nearest + 1) * out_length
    return nearest, remainder.to(dtype) / (2 * out_length)


def bilinear_positions(size: tuple[int, int], low: tuple[int, int]) -> Tensor:
    """Where bilinear interpolation reads: (2, H', W') float64, x then y, in low-res pixels.

    Args:
        size: (H', W') of the output.
        low: (H, W) of the features.
    """
    (row, y), (column, x) = (
        regular_position(*sides, "bilinear", torch.float64, torch.device("cpu"))
        for sides in zip(size, low)
    )
    return torch.stack(((column + x).expand(size), (row + y).view(-1, 1).expand(size)))


def read_nearest(field: Tensor, size: tuple[int, int]) -> Tensor:
    """Read the last two axes of a field at the nearest of its pixels, for any target size."""
    height, width = field.shape[-2:]
    if fixed(height, width, *size):
        return from_slots(spread(field, ratios(size, (height, width))), (height, width), size)
    if not statically_true(height == size[0]):
        field = field.index_select(-2, nearest_index(size[0], height, field.device))
    if not statically_true(width == size[1]):
        field = field.index_select(-1, nearest_index(size[1], width, field.device))
    return field


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


def pixel_shuffle(field: Tensor, scale: int) -> Tensor:
    """Spread s^2 sub-pixels: channel c * s^2 + i * s + j of (h, w) to c at (s h + i, s w + j)."""
    if field.shape[0] == 0:  # torch's pixel_shuffle has no gradient for an empty batch
        _, C, H, W = field.shape
        return field.reshape(0, C // scale**2, H * scale, W * scale)
    return F.pixel_shuffle(field, scale)


def cropped(field: Tensor, size: tuple[int, int]) -> Tensor:
    """Copy the first rows and columns of (B, C, H, W)."""
    for axis, length in zip((-2, -1), size):
        # No slice where sizes are dynamic: in a trace its strides would be those of the example.
        if fixed(field.shape[axis], length):
            field = cut(field, axis, 0, length)
        elif not statically_true(field.shape[axis] == length):
            field = field.index_select(axis, torch.arange(length, device=field.device))
    return field


def pad_to_even(field: Tensor) -> Tensor:
    """Repeat the last row and the last column of (B, C, H, W) where that makes the axis even."""
    for axis in (-2, -1):
        length = field.shape[axis]
        even = length + length % 2
        if fixed(length) and even != length:
            field = torch.cat((field, cut(field, axis, length - 1, length)), dim=axis)
        elif not statically_true(even == length):
            index = torch.arange(even, device=field.device).clamp(max=length - 1)
            field = field.index_select(axis, index)
    return field
