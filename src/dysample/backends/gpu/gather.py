"""The gradient of `point_sample` to the features: three ways, two of which sum in one order."""

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
from dysample.backends.gpu.sample import SIZES


@triton.jit(do_not_specialize=[*SIZES, "rows", "columns"])
def gather(
    high, places, shares, grad, C, channels, H, W, G, Y, X, FH, FW, fb, fc, fh, fw,
    tiles, across, share, rows, columns, NEAR: tl.constexpr, RATIO: tl.constexpr,
    LAST: tl.constexpr, EVEN: tl.constexpr, VEC: tl.constexpr,
    TY: tl.constexpr, TX: tl.constexpr, BC: tl.constexpr, A: tl.constexpr, INDEX: tl.constexpr,
):  # fmt: skip
    """Sum over the output pixels that take nothing further than NEAR from home.

    Every low-res pixel asks at most rows x columns of them, one after the other, by the table of
    `record`: no atomics, one order. A program: a tile of low-res pixels, BC channels of a group.
    """
    if LAST:
        C, channels = C // VEC * VEC, channels // VEC * VEC
    else:
        X = X // VEC * VEC
    group, row, col = program(tiles, across, TY, TX)  # low-res pixels
    b, g = (group // G).to(tl.int64), (group % G).to(INDEX)
    inside = (row < H) & (col < W)
    h, w = tl.minimum(row, H - 1).to(INDEX), tl.minimum(col, W - 1).to(INDEX)
    if RATIO > 0:
        top, left = tl.maximum(h - NEAR, 0) * RATIO, tl.maximum(w - NEAR, 0) * RATIO
    else:
        top, left = first_owned(h - NEAR, H, Y), first_owned(w - NEAR, W, X)
    step = C if LAST else 1
    low = grad + first_element(b, g, C, channels, H, W, LAST)
    result = high + first_element(b, g, C, channels, Y, X, LAST)
    table = places + group.to(tl.int64) * Y * X
    parts = shares + group.to(tl.int64) * Y * X * 2
    ch = (tl.program_id(1) * BC + tl.arange(0, BC)).to(INDEX)[:, None]
    here = h * W + w
    total = tl.zeros([BC, TY * TX], A)
    for k in range(0, rows * columns):
        Yp, Xp = top + k // columns, left + k % columns
        # Those further away than NEAR take nothing from here, or are marked.
        asked = inside & (Yp < Y) & (Xp < X)
        at = Yp * X + Xp
        away = here - tl.load(table + at, mask=asked, other=-1)
        along = tl.load(parts + 2 * at, mask=asked, other=0)
        down = tl.load(parts + 2 * at + 1, mask=asked, other=0)
        # Away by 0, 1, W or W + 1: one of the four corners. Where W is 1, and at the ends of rows,
        # two of them are one number, and the share of one of the two is 0.
        weight = tl.where(away == 0, (1 - along) * (1 - down), 0)
        weight += tl.where(away == 1, along * (1 - down), 0)
        weight += tl.where(away == W, (1 - along) * down, 0)
        weight += tl.where(away == W + 1, along * down, 0)
        weight = tl.where(asked, weight, 0)
        taken = weight != 0
        if tl.max(taken.to(tl.int32), 0) > 0:
            keep = taken[None, :] if EVEN else taken[None, :] & (ch < channels)
            place = result + (ch if LAST else ch * Y * X) + (at * step)[None, :]
            total += tl.load(place, mask=keep, other=0).to(A) * weight[None, :]
    keep = inside[None, :] if EVEN else inside[None, :] & (ch < channels)
    to = low + (ch if LAST else ch * H * W) + (here * step)[None, :]
    tl.store(to, total.to(grad.dtype.element_ty), mask=keep)


@triton.jit(do_not_specialize=SIZES)
def scatter(
    high, field, grad, places, C, channels, H, W, G, Y, X, FH, FW, fb, fc, fh, fw,
    tiles, across, share, FAR: tl.constexpr,
    S: tl.constexpr, CENTRE: tl.constexpr, RATIO: tl.constexpr, SAME: tl.constexpr,
    LAST: tl.constexpr, EVEN: tl.constexpr, VEC: tl.constexpr,
    TY: tl.constexpr, TX: tl.constexpr, BC: tl.constexpr, A: tl.constexpr, INDEX: tl.constexpr,
):  # fmt: skip
    """Add to the four corners of each output pixel by atomics, in the type of sums: in any order.

    FAR: those output pixels alone that `gather` left out, nearly always none.
    """
    if LAST:
        C, channels = C // VEC * VEC, channels // VEC * VEC
    else:
        X = X // VEC * VEC
    group, row, col = program(tiles, across, TY, TX)
    b, g = (group // G).to(tl.int64), (group % G).to(INDEX)
    inside = (row < Y) & (col < X)
    row, col = tl.minimum(row, Y - 1).to(INDEX), tl.minimum(col, X - 1).to(INDEX)
    if FAR:
        at = group.to(tl.int64) * Y * X + (row * X + col)
        inside = inside & (tl.load(places + at, mask=inside, other=0) < 0)
    if tl.max(inside.to(tl.int32), 0) == 0:
        return
    plane = plane_stride(group, fc, S, INDEX)
    at = field_place(row, col, Y, X, FH, FW, fc, fh, fw, S, SAME) + g * plane
    y, down, out_y, _, px, right, out_x, _ = positions(
        field + b * fb, at, plane * G, row, col, H, W, Y, X, RATIO, CENTRE, A
    )
    below, down = tl.where(out_y, y, y + 1), tl.where(out_y, 0, down)
    after, right = tl.where(out_x, px, px + 1), tl.where(out_x, 0, right)
    w00, w01 = (1 - right) * (1 - down), right * (1 - down)
    w10, w11 = (1 - right) * down, right * down
    to_right, to_below = (right != 0)[None, :], (down != 0)[None, :]
    y, below, px, after = y.to(INDEX), below.to(INDEX), px.to(INDEX), after.to(INDEX)
    step = C if LAST else 1
    a00, a01 = (y * W + px) * step, (y * W + after) * step
    a10, a11 = (below * W + px) * step, (below * W + after) * step
    from_ = (row * X + col) * step
    low = grad + first_element(b, g, C, channels, H, W, LAST)
    result = high + first_element(b, g, C, channels, Y, X, LAST)
    for block in range(0, share):
        ch = ((tl.program_id(1) * share + block) * BC + tl.arange(0, BC)).to(INDEX)[:, None]
        here = low + (ch if LAST else ch * H * W)
        keep = inside[None, :] if EVEN else inside[None, :] & (ch < channels)
        place = result + (ch if LAST else ch * Y * X) + from_[None, :]
        value = tl.load(place, mask=keep, other=0).to(A)
        add(here + a00[None, :], value * w00[None, :], keep)
        add(here + a01[None, :], value * w01[None, :], keep & to_right)
        add(here + a10[None, :], value * w10[None, :], keep & to_below)
        add(here + a11[None, :], value * w11[None, :], keep & to_right & to_below)


@triton.jit
def add(to, value, keep):
    """Add by an atomic that orders nothing else."""
    tl.atomic_add(to, value, mask=keep, sem="relaxed")


@triton.jit(do_not_specialize=SIZES)
def reach(
    field, bounds, C, channels, H, W, G, Y, X, FH, FW, fb, fc, fh, fw, tiles, across, share,
    S: tl.constexpr, CENTRE: tl.constexpr, RATIO: tl.constexpr, SAME: tl.constexpr,
    TY: tl.constexpr, TX: tl.constexpr, A: tl.constexpr, INDEX: tl.constexpr,
):  # fmt: skip
    """How far from home a group takes what it samples, to (B G, 4): up, down, left and right.

    Maxima of integers are the same in any order.
    """
    group, row, col = program(tiles, across, TY, TX)
    b, g = (group // G).to(tl.int64), (group % G).to(INDEX)
    row, col = tl.minimum(row, Y - 1).to(INDEX), tl.minimum(col, X - 1).to(INDEX)
    plane = plane_stride(group, fc, S, INDEX)
    at = field_place(row, col, Y, X, FH, FW, fc, fh, fw, S, SAME) + g * plane
    y, down, out_y, home_y, px, right, out_x, home_x = positions(
        field + b * fb, at, plane * G, row, col, H, W, Y, X, RATIO, CENTRE, A
    )
    below = tl.where(out_y | (down == 0), y, y + 1)
    after = tl.where(out_x | (right == 0), px, px + 1)
    to = bounds + group.to(tl.int64) * 4
    tl.atomic_max(to, tl.max(home_y - y, 0), sem="relaxed")
    tl.atomic_max(to + 1, tl.max(below - home_y, 0), sem="relaxed")
    tl.atomic_max(to + 2, tl.max(home_x - px, 0), sem="relaxed")
    tl.atomic_max(to + 3, tl.max(after - home_x, 0), sem="relaxed")


@triton.jit
def of_axis(pixel, share, clamped, here, A: tl.constexpr):
    """Share that a low-res row or column has in a landing place."""
    first, second = (pixel == here).to(A), (pixel + 1 == here).to(A)
    return tl.where(clamped, first, first * (1 - share) + second * share)


@triton.jit(do_not_specialize=SIZES)
def collect(
    high, field, bounds, grad, C, channels, H, W, G, Y, X, FH, FW, fb, fc, fh, fw,
    tiles, across, share,
    S: tl.constexpr, CENTRE: tl.constexpr, RATIO: tl.constexpr, SAME: tl.constexpr,
    LAST: tl.constexpr, EVEN: tl.constexpr, VEC: tl.constexpr,
    TY: tl.constexpr, TX: tl.constexpr, BC: tl.constexpr, A: tl.constexpr, INDEX: tl.constexpr,
):  # fmt: skip
    """Sum over all output pixels within the bounds of `reach`, in order: right for any offset.

    A program: a tile of low-res pixels, BC channels of a group. One huge offset makes every
    low-res pixel of its group and image ask every output pixel.
    """
    if LAST:
        C, channels = C // VEC * VEC, channels // VEC * VEC
    else:
        X = X // VEC * VEC
    group, row, col = program(tiles, across, TY, TX)  # low-res pixels
    b, g = (group // G).to(tl.int64), (group % G).to(INDEX)
    inside = (row < H) & (col < W)
    h, w = tl.minimum(row, H - 1).to(INDEX), tl.minimum(col, W - 1).to(INDEX)
    plane = plane_stride(group, fc, S, INDEX)
    limits = bounds + group.to(tl.int64) * 4
    up, down = tl.load(limits), tl.load(limits + 1)
    back, forth = tl.load(limits + 2), tl.load(limits + 3)
    # An output pixel at home in h' reaches from h' - up to h' + down.
    top, bottom = first_owned(h - down, H, Y), first_owned(h + up + 1, H, Y)
    left, right = first_owned(w - forth, W, X), first_owned(w + back + 1, W, X)
    step = C if LAST else 1
    low = grad + first_element(b, g, C, channels, H, W, LAST)
    result = high + first_element(b, g, C, channels, Y, X, LAST)
    ch = (tl.program_id(1) * BC + tl.arange(0, BC)).to(INDEX)[:, None]
    total = tl.zeros([BC, TY * TX], A)
    for i in range(0, tl.max(bottom - top, 0)):
        Yp = tl.minimum(top + i, Y - 1)
        for j in range(0, tl.max(right - left, 0)):
            Xp = tl.minimum(left + j, X - 1)
            at = field_place(Yp, Xp, Y, X, FH, FW, fc, fh, fw, S, SAME) + g * plane
            y, part_y, out_y, _, px, part_x, out_x, _ = positions(
                field + b * fb, at, plane * G, Yp, Xp, H, W, Y, X, RATIO, CENTRE, A
            )
            weight = of_axis(y, part_y, out_y, h, A) * of_axis(px, part_x, out_x, w, A)
            weight = tl.where((top + i < bottom) & (left + j < right) & inside, weight, 0)
            taken = weight != 0
            if tl.max(taken.to(tl.int32), 0) > 0:
                keep = taken[None, :] if EVEN else taken[None, :] & (ch < channels)
                place = result + (ch if LAST else ch * Y * X) + ((Yp * X + Xp) * step)[None, :]
                total += tl.load(place, mask=keep, other=0).to(A) * weight[None, :]
    keep = inside[None, :] if EVEN else inside[None, :] & (ch < channels)
    to = low + (ch if LAST else ch * H * W) + ((h * W + w) * step)[None, :]
    tl.store(to, total.to(grad.dtype.element_ty), mask=keep)
