"""Where output pixels lie on the low-res map, as csrc/geometry.h and csrc/positions.h have it.

Pixels and channels are of the type INDEX (int32, or int64 where an offset could overflow), sizes of
a call int32. Triton's `//` and `%` truncate; nothing negative is divided here. Triton also compiles
what follows a `return` in an `if`: hence each `else`.
"""

import triton
import triton.language as tl


@triton.jit
def program(tiles, across, TY: tl.constexpr, TX: tl.constexpr):
    """Group of an image, and rows and columns (TY * TX,) of the tile that a program has."""
    group, tile = tl.program_id(0) // tiles, tl.program_id(0) % tiles
    p = tl.arange(0, TY * TX)
    return group, (tile // across) * TY + p // TX, (tile % across) * TX + p % TX


@triton.jit
def first_element(b, g, C, channels, H, W, LAST: tl.constexpr):
    """Element (int64) of a map at which the channels of a group of an image begin."""
    if LAST:
        return b * H * W * C + g * channels
    else:
        return (b * C + g * channels) * H * W


@triton.jit
def nearest_index(Y, length, out_length):
    """floor((Y + 1/2) * length / out_length)."""
    return ((2 * Y + 1) * length) // (2 * out_length)


@triton.jit
def first_owned(h, length, out_length):
    """The least Y with (2 Y + 1) * length >= 2 h * out_length; 0 before the map, all beyond."""
    h = tl.minimum(tl.maximum(h, 0), length)
    first = (2 * h * out_length + length - 1) // (2 * length)
    return tl.minimum(first, out_length)


@triton.jit
def owned(h, length, out_length, RATIO: tl.constexpr):
    """First output pixel whose centre low-res pixel h holds, and the first one beyond."""
    if RATIO > 0:
        return h * RATIO, h * RATIO + RATIO
    else:
        return first_owned(h, length, out_length), first_owned(h + 1, length, out_length)


@triton.jit
def quotient(above, below, A: tl.constexpr):
    """Divide, rounded to nearest: Triton's own float32 division is approximate."""
    if A == tl.float64:
        return above.to(A) / below.to(A)
    else:
        return tl.div_rn(above.to(A), below.to(A))


@triton.jit
def home_and_rest(
    Y, length, out_length, RATIO: tl.constexpr, CENTRE: tl.constexpr, A: tl.constexpr
):
    """Low-res pixel that holds an output pixel's centre, and the rest of its position."""
    if RATIO > 0:  # out_length is RATIO * length: no division by a number known only at run time
        home = Y // RATIO
        over = 2 * (Y % RATIO) + (1 - RATIO)
        rest = quotient(over, over * 0 + 2 * RATIO, A)
    else:
        home = nearest_index(Y, length, out_length)
        over = (2 * Y + 1) * length - (2 * home + 1) * out_length
        rest = quotient(over, over * 0 + 2 * out_length, A)
    if CENTRE:
        rest = rest * 0
    return home.to(tl.int32), rest


@triton.jit
def land(shift, home, length):
    """Pixel, share of the next one, and whether the position is beyond the last pixel centres.

    NaN ends at the first pixel and infinity at the border, before anything becomes an integer. The
    floor is the shift's, not the position's: large pixel numbers leave few bits for the share.
    """
    far = length + 2.0
    shift = tl.where(shift > -far, shift, -far)
    shift = tl.where(shift < far, shift, far)
    whole = tl.floor(shift)
    pixel = home + whole.to(tl.int32)
    clamped = (pixel < 0) | (pixel >= length - 1)
    return tl.minimum(tl.maximum(pixel, 0), length - 1), shift - whole, clamped


@triton.jit
def plane_stride(group, fc, S: tl.constexpr, INDEX: tl.constexpr):
    """Elements between two planes of a field of s^2 sub-pixels, as INDEX: a size has no `.to`."""
    return ((group * 0).to(INDEX) + fc) * (S * S)


@triton.jit
def field_place(row, col, Y, X, FH, FW, fc, fh, fw, S: tl.constexpr, SAME: tl.constexpr):
    """Element of a field of sub-pixels, within its plane, that each output pixel reads.

    SAME: there are as many sub-pixels as output pixels.
    """
    fine_y = row
    fine_x = col
    if not SAME:
        fine_y = nearest_index(row, S * FH, Y)
        fine_x = nearest_index(col, S * FW, X)
    return (fine_y % S) * S * fc + (fine_y // S) * fh + (fine_x % S) * fc + (fine_x // S) * fw


@triton.jit
def positions(
    field, at, apart, row, col, H, W, Y, X,
    RATIO: tl.constexpr, CENTRE: tl.constexpr, A: tl.constexpr,
):  # fmt: skip
    """Landing places of output pixels (row, col) along both axes, y first, and their homes.

    The offsets of the image begin at `field`; those along x are its elements `at`, and those along
    y lie `apart` further.
    """
    home_y, rest_y = home_and_rest(row, H, Y, RATIO, CENTRE, A)
    home_x, rest_x = home_and_rest(col, W, X, RATIO, CENTRE, A)
    move_x = tl.load(field + at).to(A)
    move_y = tl.load(field + at + apart).to(A)
    y, down, out_y = land(move_y + rest_y, home_y, H)
    x, right, out_x = land(move_x + rest_x, home_x, W)
    return y, down, out_y, home_y, x, right, out_x, home_x
