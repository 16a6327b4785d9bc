"""The derivative by p of the form in `window`: both gradients to low-res features."""

import triton
import triton.language as tl

from dysample.backends.gpu.geometry import field_place, first_element, plane_stride, program
from dysample.backends.gpu.window import WINDOW_SIZES, inside_map, place


@triton.jit(do_not_specialize=WINDOW_SIZES)
def by_low(
    high, field, grad, C, channels, H, W, G, Y, X, FH, FW, fb, fc, fh, fw,
    tiles, across, share, parts, strips, K: tl.constexpr, S: tl.constexpr, RATIO: tl.constexpr,
    SAME: tl.constexpr, LAST: tl.constexpr, EVEN: tl.constexpr, VEC: tl.constexpr,
    NI: tl.constexpr, PJ: tl.constexpr, PAIR: tl.constexpr,
    TY: tl.constexpr, TX: tl.constexpr, BC: tl.constexpr, A: tl.constexpr, INDEX: tl.constexpr,
):  # fmt: skip
    """Gather from the output pixels that took a low-res pixel for a neighbour: one order.

    PAIR: here the weights of places j and j + 1 lie side by side too.
    """
    if LAST:
        C, channels = C // VEC * VEC, channels // VEC * VEC
    else:
        X = X // VEC * VEC
    R: tl.constexpr = (K - 1) // 2
    Q: tl.constexpr = NI * PJ
    group, row, col = program(tiles, across, TY, TX)
    b, g = (group // G).to(tl.int64), (group % G).to(INDEX)
    inside = (row < H) & (col < W)
    h, w = tl.minimum(row, H - 1).to(INDEX), tl.minimum(col, W - 1).to(INDEX)
    low = grad + first_element(b, g, C, channels, H, W, LAST)
    result = high + first_element(b, g, C, channels, Y, X, LAST)
    step = C if LAST else 1
    ch = (tl.program_id(1) * BC + tl.arange(0, BC)).to(INDEX)
    there_is = (ch < channels)[:, None]
    first = result + (ch if LAST else ch * Y * X)[:, None]
    plane = plane_stride(group, fc, S, INDEX)
    source = field + b * fb + g * (K * K) * plane
    total = tl.zeros([BC, TY * TX], A)
    for t in range(0, K * K):
        hp, wp = h - (t // K - R), w - (t % K - R)  # homes of the output pixels
        there = inside & inside_map(hp, wp, H, W)
        hp, wp = tl.minimum(tl.maximum(hp, 0), H - 1), tl.minimum(tl.maximum(wp, 0), W - 1)
        for part in range(0, parts):
            i0, j0 = part // strips * NI, part % strips * PJ
            for q in tl.static_range(Q // 2 if PAIR else Q):
                p = 2 * q if PAIR else q
                Yp, own_y = place(hp, i0 + p // PJ, H, Y, RATIO)
                Xp, own_x = place(wp, j0 + p % PJ, W, X, RATIO)
                own = there & own_y & own_x
                at = source + t * plane + field_place(Yp, Xp, Y, X, FH, FW, fc, fh, fw, S, SAME)
                weight = tl.load(at, mask=own, other=0).to(A)
                keep = own[None, :] if EVEN else own[None, :] & there_is
                from_ = first + ((Yp * X + Xp) * step)[None, :]
                if PAIR:
                    after = tl.load(at + (fc if S > 1 else fw), mask=own, other=0).to(A)
                    two = from_[:, :, None] + tl.arange(0, 2)[None, None, :]
                    one, other = tl.split(tl.load(two, mask=keep[:, :, None], other=0).to(A))
                    total += one * weight[None, :]
                    total += other * after[None, :]
                else:
                    total += tl.load(from_, mask=keep, other=0).to(A) * weight[None, :]
    keep = inside[None, :] if EVEN else inside[None, :] & there_is
    to = low + (ch if LAST else ch * H * W)[:, None] + ((h * W + w) * step)[None, :]
    tl.store(to, total.to(grad.dtype.element_ty), mask=keep)
