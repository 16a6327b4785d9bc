"""`reassemble` and `affinity`: two derivatives of one trilinear form over k x k windows.

    T(p, f, a) = sum of p[c, h + dy, w + dx] * f[c, Y, X] * a[tap, Y, X]

`by_high` is its derivative by f (reassemble, and affinity's gradient to the query), `by_tap` that
by a (affinity, and reassemble's gradient to the weights); that by p is in `window_low`. A program
takes a tile of home pixels and some places, NI rows of PJ columns of the output pixels that each of
them owns, so that a neighbour is loaded once for all of them. PAIR: places j and j + 1 lie side by
side, and are loaded and stored as one.
"""

import triton
import triton.language as tl

from dysample.backends.gpu.geometry import (
    field_place,
    first_element,
    owned,
    plane_stride,
    program,
)
from dysample.backends.gpu.sample import SIZES

WINDOW_SIZES = [*SIZES, "parts", "strips"]
"""`parts` of the places of a home pixel, `strips` of them in a row."""


@triton.jit
def place(h, i, length, out_length, RATIO: tl.constexpr):
    """Output row (or column) i of each home row, and whether it owns that one."""
    first, beyond = owned(h, length, out_length, RATIO)
    if RATIO > 0:  # no minimum, which would hide what the compiler knows of alignment
        return first + i, first + i < beyond
    else:
        return tl.minimum(first + i, out_length - 1), first + i < beyond


@triton.jit
def inside_map(h, w, H, W):
    """Whether a pixel lies on the map."""
    return (h >= 0) & (h < H) & (w >= 0) & (w < W)


@triton.jit(do_not_specialize=WINDOW_SIZES)
def by_high(
    x, field, out, C, channels, H, W, G, Y, X, FH, FW, fb, fc, fh, fw,
    tiles, across, share, parts, strips, K: tl.constexpr, S: tl.constexpr, RATIO: tl.constexpr,
    SAME: tl.constexpr, LAST: tl.constexpr, EVEN: tl.constexpr, VEC: tl.constexpr,
    NI: tl.constexpr, PJ: tl.constexpr, PAIR: tl.constexpr,
    TY: tl.constexpr, TX: tl.constexpr, BC: tl.constexpr, A: tl.constexpr, INDEX: tl.constexpr,
):  # fmt: skip
    """Sum weights, held in registers, times neighbours, for `share` blocks of channels."""
    if LAST:
        C, channels = C // VEC * VEC, channels // VEC * VEC
    else:
        X = X // VEC * VEC
    R: tl.constexpr = (K - 1) // 2
    Q: tl.constexpr = NI * PJ
    both, row, col = program(tiles, across, TY, TX)
    group, part = both // parts, both % parts
    b, g = (group // G).to(tl.int64), (group % G).to(INDEX)
    i0, j0 = part // strips * NI, part % strips * PJ
    inside = (row < H) & (col < W)
    h, w = tl.minimum(row, H - 1).to(INDEX), tl.minimum(col, W - 1).to(INDEX)
    plane = plane_stride(group, fc, S, INDEX)
    source = field + b * fb + g * (K * K) * plane
    step = C if LAST else 1
    weights = ()
    to = ()
    owns = ()
    for q in tl.static_range(Q):
        Yp, own_y = place(h, i0 + q // PJ, H, Y, RATIO)
        Xp, own_x = place(w, j0 + q % PJ, W, X, RATIO)
        own = inside & own_y & own_x
        at = source + field_place(Yp, Xp, Y, X, FH, FW, fc, fh, fw, S, SAME)
        to = to + ((Yp * X + Xp) * step,)
        owns = owns + (own,)
        for t in tl.static_range(K * K):
            weights = weights + (tl.load(at + t * plane, mask=own, other=0).to(A),)
    low = x + first_element(b, g, C, channels, H, W, LAST)
    high = out + first_element(b, g, C, channels, Y, X, LAST)
    home = (h * W + w) * step
    for block in range(0, share):
        ch = ((tl.program_id(1) * share + block) * BC + tl.arange(0, BC)).to(INDEX)
        there_is = (ch < channels)[:, None]
        here = low + (ch if LAST else ch * H * W)[:, None] + home[None, :]
        sums = ()
        for _q in tl.static_range(Q):
            sums = sums + (tl.zeros([BC, TY * TX], A),)
        for t in tl.static_range(K * K):
            there = inside_map(h + (t // K - R), w + (t % K - R), H, W)
            keep = there[None, :] if EVEN else there[None, :] & there_is
            # Two additions to the pointer: the second one is a constant of the instruction.
            near = here + (t // K - R) * W * step + (t % K - R) * step
            value = tl.load(near, mask=keep, other=0).to(A)
            new = ()
            for q in tl.static_range(Q):
                new = new + (sums[q] + value * weights[q * K * K + t][None, :],)
            sums = new
        first = high + (ch if LAST else ch * Y * X)[:, None]
        if PAIR:
            pair = tl.arange(0, 2)[None, None, :]
            for q in tl.static_range(Q // 2):
                two = tl.join(sums[2 * q], sums[2 * q + 1]).to(out.dtype.element_ty)
                keep = owns[2 * q][None, :] if EVEN else owns[2 * q][None, :] & there_is
                start = first + to[2 * q][None, :]
                tl.store(start[:, :, None] + pair, two, mask=keep[:, :, None])
        else:
            for q in tl.static_range(Q):
                keep = owns[q][None, :] if EVEN else owns[q][None, :] & there_is
                tl.store(first + to[q][None, :], sums[q].to(out.dtype.element_ty), mask=keep)


@triton.jit(do_not_specialize=WINDOW_SIZES)
def by_tap(
    x, high, grad, C, channels, H, W, G, Y, X, FH, FW, fb, fc, fh, fw,
    tiles, across, share, parts, strips, K: tl.constexpr, S: tl.constexpr, RATIO: tl.constexpr,
    SAME: tl.constexpr, LAST: tl.constexpr, EVEN: tl.constexpr, VEC: tl.constexpr,
    NI: tl.constexpr, PJ: tl.constexpr, PAIR: tl.constexpr, T0: tl.constexpr, TN: tl.constexpr,
    TY: tl.constexpr, TX: tl.constexpr, BC: tl.constexpr, A: tl.constexpr, INDEX: tl.constexpr,
):  # fmt: skip
    """Inner products over a group's channels, of TN taps from T0 on.

    `grad` has the strides of the field: (B, G k^2, Y, X), or sub-pixels that are read once (SAME).
    """
    if LAST:
        C, channels = C // VEC * VEC, channels // VEC * VEC
    else:
        X = X // VEC * VEC
    R: tl.constexpr = (K - 1) // 2
    Q: tl.constexpr = NI * PJ
    both, row, col = program(tiles, across, TY, TX)
    group, part = both // parts, both % parts
    b, g = (group // G).to(tl.int64), (group % G).to(INDEX)
    i0, j0 = part // strips * NI, part % strips * PJ
    inside = (row < H) & (col < W)
    h, w = tl.minimum(row, H - 1).to(INDEX), tl.minimum(col, W - 1).to(INDEX)
    low = x + first_element(b, g, C, channels, H, W, LAST)
    result = high + first_element(b, g, C, channels, Y, X, LAST)
    step = C if LAST else 1
    home = (h * W + w) * step
    sums = ()
    for _q in tl.static_range(Q * TN):
        sums = sums + (tl.zeros([BC, TY * TX], A),)
    for block in range(0, share):
        ch = (block * BC + tl.arange(0, BC)).to(INDEX)
        there_is = (ch < channels)[:, None]
        here = low + (ch if LAST else ch * H * W)[:, None] + home[None, :]
        first = result + (ch if LAST else ch * Y * X)[:, None]
        values = ()
        for q in tl.static_range(Q // 2 if PAIR else Q):
            p = 2 * q if PAIR else q
            Yp, own_y = place(h, i0 + p // PJ, H, Y, RATIO)
            Xp, own_x = place(w, j0 + p % PJ, W, X, RATIO)
            own = (inside & own_y & own_x)[None, :]
            keep = own if EVEN else own & there_is
            at = first + ((Yp * X + Xp) * step)[None, :]
            if PAIR:
                two = at[:, :, None] + tl.arange(0, 2)[None, None, :]
                one, other = tl.split(tl.load(two, mask=keep[:, :, None], other=0).to(A))
                values = values + (one, other)
            else:
                values = values + (tl.load(at, mask=keep, other=0).to(A),)
        new = ()
        for t in tl.static_range(TN):
            there = inside_map(h + ((T0 + t) // K - R), w + ((T0 + t) % K - R), H, W)
            keep = there[None, :] if EVEN else there[None, :] & there_is
            near = here + ((T0 + t) // K - R) * W * step + ((T0 + t) % K - R) * step
            value = tl.load(near, mask=keep, other=0).to(A)
            for q in tl.static_range(Q):
                new = new + (sums[t * Q + q] + value * values[q],)
        sums = new
    plane = plane_stride(group, fc, S, INDEX)
    for q in tl.static_range(Q):
        Yp, own_y = place(h, i0 + q // PJ, H, Y, RATIO)
        Xp, own_x = place(w, j0 + q % PJ, W, X, RATIO)
        own = inside & own_y & own_x
        at = grad + b * fb + field_place(Yp, Xp, Y, X, FH, FW, fc, fh, fw, S, SAME)
        for t in tl.static_range(TN):
            # Taps outside of the map contribute nothing, not even infinity times 0.
            there = inside_map(h + ((T0 + t) // K - R), w + ((T0 + t) % K - R), H, W)
            total = tl.where(there, tl.sum(sums[t * Q + q], 0), 0)
            to = at + (g * (K * K) + T0 + t) * plane
            tl.store(to, total.to(grad.dtype.element_ty), mask=own)
