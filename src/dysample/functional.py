"""The primitives, and the papers' functions built on them, with checked arguments.

Alphabet: B batch, C channels, H W low-res size, G groups, s scale, k kernel size,
(Y, X) high-res pixel, (h, w) low-res pixel. An output pixel belongs to the low-res pixel that
holds its centre: h = floor((Y + 1/2) * H / H'). Group g holds the channels
g * C/G .. (g + 1) * C/G - 1.
"""

from __future__ import annotations

from torch import Tensor

from dysample import ops
from dysample.checks import (
    check_beside,
    check_bool,
    check_choice,
    check_divides,
    check_feature,
    check_numbers,
    check_odd,
    check_positive_int,
    check_same_channels,
    check_same_size,
    check_size,
)
from dysample.proxies import function_node

STARTS = ("bilinear", "nearest")


@function_node
def point_sample(x: Tensor, offset: Tensor, *, start: str = "bilinear") -> Tensor:
    """Bilinear samples of `x` at regular positions moved by an offset per output pixel and group.

    Args:
        x: features (B, C, H, W).
        offset: (B, 2G, H', W'), any H' and W'; channel d * G + g moves group g along axis d.
            G must divide C.
        start: regular position; "bilinear" spreads the output pixels evenly, so that offset 0 is
            bilinear interpolation; "nearest" puts each on the centre of the low-res pixel that
            holds it, so that offset 0 is nearest-neighbour interpolation.

    Returns:
        (B, C, H', W') with the dtype and memory format of `x`.

    Convention
        offset[:, :G] is x, offset[:, G:] is y, in low-res pixels, + is right and down;
        align_corners=False. Positions are clamped to the border pixels' centres, and the
        gradient to the offset is 0 there. Positions are computed in float32 (float64 for float64
        input), whatever the dtype of `x`.

    Source: Liu et al., "Learning to Upsample by Learning to Sample", ICCV 2023 [liu2023dysample].
    """
    check_feature("x", x)
    check_feature("offset", offset)
    check_beside("offset", offset, x)
    check_choice("start", start, STARTS)
    planes = offset.shape[1]
    if planes % 2 != 0:
        raise ValueError(f"`offset` channels (={planes}) must be 2 * groups")
    check_divides("groups", planes // 2, "channels", x.shape[1])
    return ops.point_sample(x, offset, 1, (offset.shape[2], offset.shape[3]), start)


@function_node
def reassemble(x: Tensor, weight: Tensor, *, softmax: bool = False) -> Tensor:
    """Weighted sum of the k x k low-res neighbours of each output pixel.

    out[c, Y, X] = sum over dy, dx of weight[g, (dy + r) * k + dx + r, Y, X] * x[c, h + dy, w + dx]
    with r = (k - 1) / 2. Neighbours outside the map count as 0; weights are not renormalised.

    Args:
        x: features (B, C, H, W).
        weight: (B, G, k*k, H', W'), any H' and W', k odd; G must divide C.
        softmax: `weight` holds logits, whose softmax over the taps are the weights; it runs in
            float32 (float64 for float64 input).

    Returns:
        (B, C, H', W') with the dtype and memory format of `x`; sums run in float32 (float64 for
        float64 input).

    Source: Wang et al., "CARAFE: Content-Aware ReAssembly of FEatures", ICCV 2019
    [wang2019carafe].
    """
    check_feature("x", x)
    check_numbers("weight", weight)
    if weight.dim() != 5:
        raise ValueError(f"`weight` must have 5 axes (B, G, k*k, H', W'), not {weight.dim()}")
    check_beside("weight", weight, x)
    groups, taps, *size = weight.shape[1:]
    for axis in (1, 3, 4):
        if weight.shape[axis] < 1:
            raise ValueError(f"`weight` axis {axis} (=0) must be at least 1")
    check_divides("groups", groups, "channels", x.shape[1])
    kernel = round(int(taps) ** 0.5)
    if kernel * kernel != taps or kernel % 2 == 0:
        raise ValueError(f"`weight` axis 2 (={taps}) must be the square of an odd kernel size")
    return ops.reassemble(
        x, weight.flatten(1, 2), kernel, 1, (size[0], size[1]), check_bool("softmax", softmax)
    )


@function_node
def affinity(query: Tensor, key: Tensor, kernel: int, *, groups: int = 1) -> Tensor:
    """Inner products of each output pixel's query with the k x k low-res keys around it.

    out[g, (dy + r) * k + dx + r, Y, X] = sum over the channels c of group g of
    query[c, Y, X] * key[c, h + dy, w + dx] with r = (k - 1) / 2. Neighbours outside the map count
    as 0: their logit is 0, and takes part in a softmax.

    Args:
        query: (B, G * E, H', W'), any H' and W'.
        key: (B, G * E, H, W).
        kernel: k, odd.
        groups: G, must divide the channels.

    Returns:
        Logits (B, G, k*k, H', W') in float32 (float64 for a float64 query), since a softmax needs
        the small differences of large logits; `reassemble(x, logits, softmax=True)` takes them.

    Source: Lu et al., "SAPA: Similarity-Aware Point Affiliation for Feature Upsampling",
    NeurIPS 2022 [lu2022sapa].
    """
    _check_query(query, key, groups)
    kernel = check_odd("kernel", kernel)
    logits = ops.affinity(query, key, kernel, groups)
    B, _, Y, X = logits.shape
    return logits.reshape(B, groups, kernel**2, Y, X)


@function_node
def point_attention(
    x: Tensor, query: Tensor, key: Tensor, offset: Tensor, *, groups: int = 1
) -> Tensor:
    """Attention of each output pixel over P points sampled around its low-res pixel.

    Point p of group g is sampled bilinearly at (w, h) + its offset. Its weight is the softmax over
    the points of the query's inner product with the sampled key.

    Args:
        x: features (B, C, H, W), the values that are summed.
        query: (B, G * E, H', W'), any H' and W'.
        key: (B, G * E, H, W).
        offset: (B, 2 * G * P, H', W'); channel (g * P + p) * 2 + d moves point p of group g along
            axis d.
        groups: G, must divide C and the channels of the query.

    Returns:
        (B, C, H', W') with the dtype and memory format of `x`; positions, logits and sums are
        float32 (float64 for float64 input).

    Convention
        d = 0 is x, d = 1 is y, in low-res pixels, + is right and down; align_corners=False. Keys
        and values are 0 outside the map, and points there take part in the softmax.

    Source: the authors' second release of SAPA [lu2022sapa].
    """
    _check_attention(x, query, key, groups)
    check_feature("offset", offset)
    check_beside("offset", offset, x)
    check_same_size("offset", offset, query, "query")
    planes = offset.shape[1]
    if planes % (2 * groups) != 0:
        raise ValueError(
            f"`offset` channels (={planes}) must be 2 * groups * points, groups = {groups}"
        )
    return ops.point_attention(x, query, key, offset, 1, groups)[0]


@function_node
def dysample(
    x: Tensor,
    offset: Tensor,
    scale: int,
    *,
    size: int | tuple[int, int] | None = None,
    start: str = "bilinear",
) -> Tensor:
    """DySample's sampling: offsets as its 1x1 convolution leaves them, then `point_sample`.

    Args:
        x: features (B, C, H, W).
        offset: (B, 2 G s^2, H, W) in low-res pixels, after the scope factor; channel
            ((d * G + g) * s + i) * s + j belongs to sub-pixel (row i, column j).
        scale: s, the whole number of sub-pixels an axis that `offset` was predicted for.
        size: output size; s times the input's if not given. At other sizes each output pixel
            reads the offset field (sH, sW) at the nearest of its pixels.
        start: see `point_sample`.

    Returns:
        (B, C, *size) with the dtype and memory format of `x`.

    Source: Liu et al., "Learning to Upsample by Learning to Sample", ICCV 2023 [liu2023dysample].
    """
    _check_field("offset", offset, scale, x, 2)
    check_choice("start", start, STARTS)
    check_divides("groups", offset.shape[1] // (2 * scale**2), "channels", x.shape[1])
    return ops.point_sample(x, offset, scale, _size(x, scale, size), start)


@function_node
def carafe(
    x: Tensor,
    logits: Tensor,
    scale: int,
    *,
    kernel: int = 5,
    groups: int = 1,
    size: int | tuple[int, int] | None = None,
) -> Tensor:
    """CARAFE's reassembly: kernel logits as its encoder leaves them, softmax, `reassemble`.

    Args:
        x: features (B, C, H, W).
        logits: (B, G k^2 s^2, H, W); channel ((g * k^2 + tap) * s + i) * s + j belongs to
            sub-pixel (row i, column j).
        scale: s, the whole number of sub-pixels an axis that `logits` were predicted for.
        kernel: k, odd.
        groups: G, must divide C.
        size: output size; s times the input's if not given. At other sizes each output pixel
            reads the kernel field (sH, sW) at the nearest of its pixels.

    Returns:
        (B, C, *size) with the dtype and memory format of `x`.

    Source: Wang et al., "CARAFE: Content-Aware ReAssembly of FEatures", ICCV 2019
    [wang2019carafe].
    """
    taps = check_odd("kernel", kernel) ** 2
    check_positive_int("groups", groups)
    _check_field("logits", logits, scale, x, groups * taps)
    if logits.shape[1] != groups * taps * scale**2:
        raise ValueError(
            f"`logits` channels (={logits.shape[1]}) must be groups * kernel^2 * scale^2"
            f" (={groups * taps * scale**2})"
        )
    check_divides("groups", groups, "channels", x.shape[1])
    return ops.reassemble(x, logits, kernel, scale, _size(x, scale, size), True)


@function_node
def sapa(x: Tensor, query: Tensor, key: Tensor, *, kernel: int = 5) -> Tensor:
    """SAPA's reassembly: softmax of the `affinity` of query and key, then `reassemble`.

    Args:
        x: features (B, C, H, W).
        query: (B, E, H', W'), any H' and W'.
        key: (B, E, H, W).
        kernel: k, odd.

    Returns:
        (B, C, H', W') with the dtype and memory format of `x`.

    Source: Lu et al., "SAPA: Similarity-Aware Point Affiliation for Feature Upsampling",
    NeurIPS 2022 [lu2022sapa].
    """
    check_feature("x", x)
    _check_query(query, key, 1)
    check_same_size("key", key, x)
    check_beside("key", key, x)
    kernel = check_odd("kernel", kernel)
    logits = ops.affinity(query, key, kernel, 1)
    return ops.reassemble(x, logits, kernel, 1, (query.shape[2], query.shape[3]), True)


@function_node
def sapa_deform(
    x: Tensor, query: Tensor, key: Tensor, offset: Tensor, scale: int, *, groups: int = 1
) -> Tensor:
    """SAPA-D's sampling: offsets as its 1x1 convolution leaves them, then `point_attention`.

    Args:
        x: features (B, C, H, W), the values that are summed.
        query: (B, G * E, H', W'), any H' and W'.
        key: (B, G * E, H, W).
        offset: (B, 2 G P s^2, H, W) in low-res pixels; channel
            (((g * P + p) * 2 + d) * s + i) * s + j belongs to sub-pixel (row i, column j).
        scale: s, the whole number of sub-pixels an axis that `offset` was predicted for. Each
            output pixel reads the offset field (sH, sW) at the nearest of its pixels.
        groups: G, must divide C and the channels of the query.

    Returns:
        (B, C, H', W') with the dtype and memory format of `x`.

    Source: Liu et al., "On Point Affiliation in Feature Upsampling", 2023 [liu2023affiliation].
    """
    _check_attention(x, query, key, groups)
    _check_field("offset", offset, scale, x, 2 * groups)
    return ops.point_attention(x, query, key, offset, scale, groups)[0]


def _check_attention(x: Tensor, query: Tensor, key: Tensor, groups: int) -> None:
    """Raise unless a query can attend to the pixels of x by keys, in groups of channels."""
    check_feature("x", x)
    _check_query(query, key, groups)
    check_divides("groups", groups, "channels", x.shape[1])
    check_beside("key", key, x)
    check_same_size("key", key, x)


def _check_query(query: Tensor, key: Tensor, groups: int) -> None:
    """Raise unless query and key can be multiplied in groups of channels."""
    check_feature("query", query)
    check_feature("key", key)
    check_beside("query", query, key, "key")
    check_same_channels("query", query, key, "key")
    check_divides("groups", check_positive_int("groups", groups), "channels", query.shape[1])


def _check_field(name: str, field: Tensor, scale: int, x: Tensor, planes: int) -> None:
    """Raise unless the field holds s^2 sub-pixels of some planes for each pixel of x."""
    check_feature("x", x)
    check_feature(name, field)
    check_beside(name, field, x)
    check_positive_int("scale", scale)
    check_same_size(name, field, x)
    if field.shape[1] % (planes * scale**2) != 0:
        raise ValueError(
            f"`{name}` channels (={field.shape[1]}) must be a multiple of"
            f" {planes} * scale^2 (={planes * scale**2})"
        )


def _size(x: Tensor, scale: int, size: int | tuple[int, int] | None) -> tuple[int, int]:
    return (scale * x.shape[2], scale * x.shape[3]) if size is None else check_size(size)
