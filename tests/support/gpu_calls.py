"""Calls of the primitives on meta tensors, whose kernels `support.ahead` compiles."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

F32, F16, BF16 = torch.float32, torch.float16, torch.bfloat16
Run = Callable[[torch.dtype, bool], None]


class Call(NamedTuple):
    """A call of a primitive at a size that papers and the bench use.

    Attributes:
        run: what calls it on meta tensors, given dtype and channels_last.
        floor: elements of the low-res map that must be read or written, in its dtype, and of the
            field and everything else in float32.
    """

    run: Run
    floor: tuple[int, int]


def meta(*shape: int, dtype: torch.dtype = F32, last: bool = False) -> Tensor:
    """A tensor without numbers."""
    kind = torch.channels_last if last else torch.contiguous_format
    return torch.empty(shape, dtype=dtype, device="meta", memory_format=kind)


def calls() -> dict[str, Call]:
    """The calls that are compiled, by name."""
    from dysample.backends.gpu import point_sample, reassemble

    W1, W4 = (1, 256, 120, 120), (2, 256, 64, 64)

    def maps(shape: tuple[int, ...], dtype: torch.dtype, last: bool) -> tuple[Tensor, Tensor]:
        B, C, H, W = shape
        return meta(*shape, dtype=dtype, last=last), meta(
            B, C, 2 * H, 2 * W, dtype=dtype, last=last
        )

    def sampled(dtype: torch.dtype, last: bool) -> None:
        x, _ = maps(W1, dtype, last)
        point_sample.point_sample(x, meta(1, 32, 120, 120), 2, (240, 240), False)

    def sampled_back(dtype: torch.dtype, last: bool) -> None:
        x, high = maps(W4, dtype, last)
        point_sample.point_sample_backward(high, x, meta(2, 32, 64, 64), 2, False, (True, True))

    def in_order(dtype: torch.dtype, last: bool) -> None:
        torch.use_deterministic_algorithms(True)
        sampled_back(dtype, last)
        torch.use_deterministic_algorithms(False)

    def carafe(dtype: torch.dtype, last: bool) -> None:
        x, _ = maps(W1, dtype, last)
        reassemble.reassemble(x, meta(1, 100, 120, 120), 5, 2, (240, 240), True)

    def carafe_back(dtype: torch.dtype, last: bool) -> None:
        x, high = maps(W4, dtype, last)
        field, wanted = meta(2, 100, 64, 64), (True, True)
        reassemble.reassemble_backward(high, x, field, 5, 2, True, wanted)

    def embedded(dtype: torch.dtype, last: bool) -> tuple[Tensor, Tensor]:
        key, query = maps((1, 32, 120, 120), dtype, last)
        return query, key

    def affinity(dtype: torch.dtype, last: bool) -> None:
        reassemble.affinity(*embedded(dtype, last), 5, 1)

    def affinity_back(dtype: torch.dtype, last: bool) -> None:
        high, wanted = meta(1, 25, 240, 240), (True, True)
        reassemble.affinity_backward(high, *embedded(dtype, last), 5, 1, wanted)

    low1, field1 = 256 * 120**2, 32 * 120**2
    low4, field4 = 2 * 256 * 64**2, 2 * 32 * 64**2
    return {
        "point_sample W1": Call(sampled, (5 * low1, field1)),
        "point_sample W4, gradients": Call(sampled_back, (6 * low4, 2 * field4)),
        "point_sample W4, gradients in order": Call(in_order, (6 * low4, 2 * field4)),
        "reassemble W1, k = 5": Call(carafe, (5 * low1, 100 * 120**2)),
        "reassemble W4, k = 5, gradients": Call(carafe_back, (6 * low4, 4 * 100 * 64**2)),
        "affinity 32 x W1, k = 5": Call(affinity, (5 * 32 * 120**2, 100 * 120**2)),
        "affinity 32 x W1, k = 5, gradients": Call(affinity_back, (10 * 32 * 120**2, 100 * 120**2)),
    }


def variants() -> Iterator[tuple[str, Callable[[], Any]]]:
    """Calls of what else kernels are compiled for: other dtypes, sizes, scales and kernel sizes."""
    from dysample.backends.gpu import launch, point_sample, reassemble

    def sampled(dtype: torch.dtype, last: bool, out: tuple[int, int], scale: int) -> None:
        x, high = meta(1, 12, 13, 20, dtype=dtype, last=last), meta(1, 12, *out, dtype=dtype)
        field = meta(1, 4 * scale**2, 13, 20, dtype=dtype)
        point_sample.point_sample(x, field, scale, out, True)
        for in_order in (False, True):
            torch.use_deterministic_algorithms(in_order)
            point_sample.point_sample_backward(high, x, field, scale, True, (True, True))
        torch.use_deterministic_algorithms(False)
        point_sample.point_sample_backward(high, x, field, scale, True, (True, False))

    def summed(dtype: torch.dtype, last: bool, out: tuple[int, int], scale: int, k: int) -> None:
        x, high = meta(1, 12, 13, 20, dtype=dtype, last=last), meta(1, 12, *out, dtype=dtype)
        field = meta(1, 2 * k**2 * scale**2, 13, 20, dtype=dtype)
        reassemble.reassemble(x, field, k, scale, out, False)
        reassemble.reassemble_backward(high, x, field, k, scale, False, (True, True))

    for last in (False, True):
        for dtype in (BF16, torch.float64):
            yield f"{dtype}", lambda dtype=dtype, last=last: sampled(dtype, last, (26, 40), 2)
            yield f"{dtype}", lambda dtype=dtype, last=last: summed(dtype, last, (26, 40), 2, 3)
        for out, scale in (((25, 39), 2), ((39, 60), 3), ((5, 7), 1), ((52, 80), 4)):
            name = f"to {out}"
            yield name, lambda out=out, scale=scale, last=last: sampled(F32, last, out, scale)
            yield name, lambda out=out, scale=scale, last=last: summed(F32, last, out, scale, 3)
        for k in (1, 7, 9):
            yield f"k = {k}", lambda k=k, last=last: summed(F32, last, (26, 40), 2, k)
    launch._WIDE = 0
    for last in (False, True):
        yield "64-bit offsets", lambda last=last: sampled(F32, last, (25, 39), 2)
        yield "64-bit offsets", lambda last=last: summed(F32, last, (25, 39), 2, 3)
