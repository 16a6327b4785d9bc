"""`point_sample` forward, and the gradient to its offsets."""

import triton
import triton.language as tl

from dysample.backends.gpu.geometry import (
    field_place,
    first_element,
    first_owned,
    plane_stride,
    positions,
    program,
)

SIZES = ["C", "channels", "H", "W", "G", "Y", "X", "FH", "FW", "fb", "fc", "fh", "fw"]
SIZES += ["tiles", "across", "share"]
"""Arguments of kernels of maps that no variant is compiled for; f* are strides of the field."""


@triton.jit(do_not_specialize=SIZES)
def sample(
    x, field, out, C, channels, H, W, G, Y, X, FH, FW, fb, fc, fh, fw, tiles, across, share,
    S: tl.constexpr, CENTRE: tl.constexpr, RATIO: tl.constexpr, SAME: tl.constexpr,
    LAST: tl.constexpr, EVEN: tl.constexpr, VEC: tl.constexpr,
    TY: tl.constexpr, TX: tl.constexpr, BC: tl.constexpr, A: tl.constexpr, INDEX: tl.constexpr,
):  # fmt: skip
    """Sample a tile of output pixels in `share` blocks of BC channels of a group.

    LAST: channels are innermost. EVEN: no block reaches beyond the group. VEC divides the innermost
    axis. RATIO: Y / H = X / W if whole, else 0. SAME: see `field_place`.
    """
    # Tells the compiler what divides them: `multiple_of` says nothing of a function's arguments.
    if LAST:
        C, channels = C // VEC * VEC, channels // VEC * VEC
    else:
        X = X // VEC * VEC
    group, row, col = program(tiles, across, TY, TX)
    b, g = (group // G).to(tl.int64), (group % G).to(INDEX)
    inside = (row < Y) & (col < X)
    step = C if LAST else 1
    # What is stored to is not clamped, for the compiler to see that places follow each other.
    to = (row.to(INDEX) * X + col.to(INDEX)) * step
    row, col = tl.minimum(row, Y - 1).to(INDEX), tl.minimum(col, X - 1).to(INDEX)
    plane = plane_stride(group, fc, S, INDEX)
    at = field_place(row, col, Y, X, FH, FW, fc, fh, fw, S, SAME) + g * plane
    y, down, out_y, _, px, right, out_x, _ = positions(
        field + b * fb, at, plane * G, row, col, H, W, Y, X, RATIO, CENTRE, A
    )
    # Beyond the border both corners are one pixel, half each: exact, and there is neither a mask
    # nor a weight of 0 times infinity.
    below, down = tl.where(out_y, y, y + 1), tl.where(out_y, 0.5, down)
    after, right = tl.where(out_x, px, px + 1), tl.where(out_x, 0.5, right)
    w00, w01 = (1 - right) * (1 - down), right * (1 - down)
    w10, w11 = (1 - right) * down, right * down
    y, below, px, after = y.to(INDEX), below.to(INDEX), px.to(INDEX), after.to(INDEX)
    a00, a01 = (y * W + px) * step, (y * W + after) * step
    a10, a11 = (below * W + px) * step, (below * W + after) * step
    low = x + first_element(b, g, C, channels, H, W, LAST)
    high = out + first_element(b, g, C, channels, Y, X, LAST)
    for block in range(0, share):
        ch = ((tl.program_id(1) * share + block) * BC + tl.arange(0, BC)).to(INDEX)[:, None]
        here = low + (ch if LAST else ch * H * W)
        if EVEN:
            v00 = tl.load(here + a00[None, :]).to(A)
            v01 = tl.load(here + a01[None, :]).to(A)
            v10 = tl.load(here + a10[None, :]).to(A)
            v11 = tl.load(here + a11[None, :]).to(A)
        else:
            there = ch < channels
            v00 = tl.load(here + a00[None, :], mask=there, other=0).to(A)
            v01 = tl.load(here + a01[None, :], mask=there, other=0).to(A)
            v10 = tl.load(here + a10[None, :], mask=there, other=0).to(A)
            v11 = tl.load(here + a11[None, :], mask=there, other=0).to(A)
        total = v00 * w00[None, :] + v01 * w01[None, :] + v10 * w10[None, :] + v11 * w11[None, :]
        keep = inside[None, :] if EVEN else inside[None, :] & (ch < channels)
        place = high + (ch if LAST else ch * Y * X) + to[None, :]
        tl.store(place, total.to(out.dtype.element_ty), mask=keep)


@triton.jit
def record(
    places, shares, group, row, col, H, W, Y, X, inside,
    y, down, out_y, home_y, px, right, out_x, home_x, NEAR: tl.constexpr,
):  # fmt: skip
    """Write what `gather` needs of each output pixel and group.

    Its upper left corner, as an element of a plane (int32), and the shares of the next column and
    row. Pixels that take what lies further than NEAR from home are left to `scatter`: their corner
    is 2^30 lower, which no low-res pixel has.
    """
    down, right = tl.where(out_y, 0, down), tl.where(out_x, 0, right)
    below, after = y + (down > 0).to(tl.int32), px + (right > 0).to(tl.int32)
    far = (home_y - y > NEAR) | (below - home_y > NEAR)
    far = far | (home_x - px > NEAR) | (after - home_x > NEAR)
    at = group.to(tl.int64) * Y * X + (row * X + col)
    corner = y * W + px
    tl.store(places + at, tl.where(far, corner - (1 << 30), corner), mask=inside)
    two = tl.arange(0, 2)[None, :]
    tl.store(shares + at[:, None] * 2 + two, tl.join(right, down), mask=inside[:, None])


@triton.jit(do_not_specialize=SIZES)
def slopes(
    high, x, field, grad, places, shares, C, channels, H, W, G, Y, X, FH, FW, fb, fc, fh, fw,
    tiles, across, share, GRAD: tl.constexpr, TABLE: tl.constexpr, NEAR: tl.constexpr,
    S: tl.constexpr, CENTRE: tl.constexpr, RATIO: tl.constexpr, SAME: tl.constexpr,
    LAST: tl.constexpr, EVEN: tl.constexpr, VEC: tl.constexpr,
    TY: tl.constexpr, TX: tl.constexpr, BC: tl.constexpr, A: tl.constexpr, INDEX: tl.constexpr,
):  # fmt: skip
    """Gradient to the offsets, from the `share` blocks of all channels of a group.

    Where every sub-pixel is read once (SAME) to a field with the strides of `field`, otherwise to
    (B, 2 G, Y, X). TABLE: also `record` the places; without GRAD that alone.
    """
    if LAST:
        C, channels = C // VEC * VEC, channels // VEC * VEC
    else:
        X = X // VEC * VEC
    group, row, col = program(tiles, across, TY, TX)
    b, g = (group // G).to(tl.int64), (group % G).to(INDEX)
    inside = (row < Y) & (col < X)
    row, col = tl.minimum(row, Y - 1).to(INDEX), tl.minimum(col, X - 1).to(INDEX)
    plane = plane_stride(group, fc, S, INDEX)
    at = field_place(row, col, Y, X, FH, FW, fc, fh, fw, S, SAME) + g * plane
    y, down, out_y, home_y, px, right, out_x, home_x = positions(
        field + b * fb, at, plane * G, row, col, H, W, Y, X, RATIO, CENTRE, A
    )
    if TABLE:
        record(
            places, shares, group, row, col, H, W, Y, X, inside,
            y, down, out_y, home_y, px, right, out_x, home_x, NEAR,
        )  # fmt: skip
    if not GRAD:
        return
    # No slope where the position is clamped, or on the first pixel's centre.
    still_y = out_y | ((y == 0) & (down == 0))
    still_x = out_x | ((px == 0) & (right == 0))
    below, down = tl.where(out_y, y, y + 1), tl.where(out_y, 0, down)
    after, right = tl.where(out_x, px, px + 1), tl.where(out_x, 0, right)
    y, below, px, after = y.to(INDEX), below.to(INDEX), px.to(INDEX), after.to(INDEX)
    step = C if LAST else 1
    a00, a01 = (y * W + px) * step, (y * W + after) * step
    a10, a11 = (below * W + px) * step, (below * W + after) * step
    from_ = (row * X + col) * step
    low = x + first_element(b, g, C, channels, H, W, LAST)
    result = high + first_element(b, g, C, channels, Y, X, LAST)
    along_x = tl.zeros([BC, TY * TX], A)
    along_y = tl.zeros([BC, TY * TX], A)
    for block in range(0, share):
        ch = (block * BC + tl.arange(0, BC)).to(INDEX)[:, None]
        here = low + (ch if LAST else ch * H * W)
        keep = inside[None, :] if EVEN else inside[None, :] & (ch < channels)
        place = result + (ch if LAST else ch * Y * X) + from_[None, :]
        value = tl.load(place, mask=keep, other=0).to(A)
        if EVEN:
            v00 = tl.load(here + a00[None, :]).to(A)
            v01 = tl.load(here + a01[None, :]).to(A)
            v10 = tl.load(here + a10[None, :]).to(A)
            v11 = tl.load(here + a11[None, :]).to(A)
        else:
            there = ch < channels
            v00 = tl.load(here + a00[None, :], mask=there, other=0).to(A)
            v01 = tl.load(here + a01[None, :], mask=there, other=0).to(A)
            v10 = tl.load(here + a10[None, :], mask=there, other=0).to(A)
            v11 = tl.load(here + a11[None, :], mask=there, other=0).to(A)
        upper, left = v01 - v00, v10 - v00
        twist = (v11 - v10) - upper
        along_x += value * (upper + twist * down[None, :])
        along_y += value * (left + twist * right[None, :])
    to_x = tl.where(still_x, 0, tl.sum(along_x, 0)).to(grad.dtype.element_ty)
    to_y = tl.where(still_y, 0, tl.sum(along_y, 0)).to(grad.dtype.element_ty)
    if SAME:
        tl.store(grad + b * fb + at, to_x, mask=inside)
        tl.store(grad + b * fb + at + plane * G, to_y, mask=inside)
    else:
        to = grad + (b * 2 * G + g) * Y * X + row * X + col
        tl.store(to, to_x, mask=inside)
        tl.store(to + (b * 0 + G) * Y * X, to_y, mask=inside)


@triton.jit(
    do_not_specialize=["planes", "Y", "X", "FH", "FW", "fb", "fc", "fh", "fw", "tiles", "across"]
)
def fold(
    dense, grad, planes, Y, X, FH, FW, fb, fc, fh, fw, tiles, across,
    S: tl.constexpr, TY: tl.constexpr, TX: tl.constexpr, A: tl.constexpr, INDEX: tl.constexpr,
):  # fmt: skip
    """Sum (B, planes, Y, X) over the output pixels that read one sub-pixel of a field, in order."""
    group, row, col = program(tiles, across, TY, TX)  # sub-pixels
    b, plane = (group // planes).to(tl.int64), (group % planes).to(INDEX)
    inside = (row < S * FH) & (col < S * FW)
    row, col = row.to(INDEX), col.to(INDEX)
    top, bottom = first_owned(row, S * FH, Y), first_owned(row + 1, S * FH, Y)
    left, right = first_owned(col, S * FW, X), first_owned(col + 1, S * FW, X)
    total = tl.zeros([TY * TX], A)
    source = dense + (b * planes + plane) * Y * X
    high = tl.max(tl.where(inside, bottom - top, 0), 0)
    wide = tl.max(tl.where(inside, right - left, 0), 0)
    for i in range(0, high):
        for j in range(0, wide):
            own = inside & (top + i < bottom) & (left + j < right)
            total += tl.load(source + (top + i) * X + left + j, mask=own, other=0)
    at = plane * plane_stride(group, fc, S, INDEX)
    at += (row % S) * S * fc + (row // S) * fh + (col % S) * fc + (col // S) * fw
    tl.store(grad + b * fb + at, total.to(grad.dtype.element_ty), mask=inside)
