"""What every kernel is launched with: sizes, strides, index width, tiles, device."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import gcd
from typing import Any

import torch
import triton.language as tl
from torch import Tensor

from dysample.backends.gpu.tiles import Tile, tile_of
from dysample.checks import check_reverse_mode
from dysample.layout import compute_dtype, format_of

_WIDE = 2**31  # first integer that int32 does not hold


def run(kernel: Any, grid: tuple[int, ...], arguments: tuple[Any, ...], **options: Any) -> None:
    """Launch a kernel on the device of its first argument.

    Fused multiply-adds are asked for by name: Triton 3.9 warns that its default will change.
    """
    with torch.cuda.device_of(arguments[0]):  # type: ignore[no-untyped-call]
        kernel[grid](*arguments, **options, enable_fp_fusion=True)


@dataclass(frozen=True)
class Maps:
    """A call on a low-res map, a high-res map of size (Y, X) and a field of s^2 sub-pixels.

    Attributes:
        name: of the primitive, for errors.
        low: the low-res map (B, C, H, W), dense, or one of its shape, dtype and format.
        size: (Y, X).
        field: (B, planes s^2, h, w) of any strides.
        scale: s.
        groups: G.
    """

    name: str
    low: Tensor
    size: tuple[int, int]
    field: Tensor
    scale: int
    groups: int

    def __post_init__(self) -> None:
        """Refuse what would lose derivatives."""
        check_reverse_mode(self.name)

    @property
    def channels(self) -> int:
        """Channels of a group."""
        return self.low.shape[1] // self.groups

    @property
    def all_groups(self) -> int:
        """Groups of all images."""
        return self.low.shape[0] * self.groups

    @cached_property
    def last(self) -> bool:
        """Whether channels are innermost."""
        return format_of(self.low) == torch.channels_last

    @property
    def ratio(self) -> int:
        """Y / H = X / W if they are one integer, else 0."""
        (H, W), (Y, X) = self.low.shape[2:], self.size
        return Y // H if Y % H == 0 and Y // H * W == X else 0

    @property
    def same(self) -> bool:
        """Whether there are as many sub-pixels as output pixels."""
        h, w = self.field.shape[2:]
        return self.size == (self.scale * h, self.scale * w)

    @cached_property
    def accumulator(self) -> tl.dtype:
        """Type of coordinates and sums."""
        return tl.float64 if compute_dtype(self.low) == torch.float64 else tl.float32

    @cached_property
    def index(self) -> tl.dtype:
        """Type of offsets within an image, and of products of two lengths."""
        _, C, *low = self.low.shape
        _, _, *planes = self.field.shape
        largest = C * max(low[0] * low[1], self.size[0] * self.size[1])
        spread = sum(
            (n - 1) * step for n, step in zip(self.field.shape[1:], self.field.stride()[1:])
        )
        products = max(
            4 * (out + 1) * max(length, self.scale * of_field)
            for out, length, of_field in zip(self.size, low, planes)
        )
        wide = max(largest, spread + 1, products) >= _WIDE
        return tl.int64 if wide else tl.int32

    def tile(self, kernel: str) -> Tile:
        """Return the tile of a kernel."""
        return tile_of(kernel, self.last, self.channels)

    def tiles(self, tile: Tile, size: tuple[int, int] | None = None) -> tuple[int, int]:
        """Return the tiles of a map of that size, (Y, X) if none is given, all and in a row."""
        rows, columns = size or self.size
        across = -(-columns // tile.TX)
        return across * -(-rows // tile.TY), across

    def sizes(self, tiles: tuple[int, int], share: int) -> tuple[int, ...]:
        """Return the integers that kernels of maps take, in their order."""
        _, C, H, W = self.low.shape
        return (
            C, self.channels, H, W, self.groups, *self.size, *self.field.shape[2:],
            *self.field.stride(), *tiles, share,
        )  # fmt: skip

    def constants(self, tile: Tile, share: int) -> dict[str, Any]:
        """Return what variants of all these kernels are compiled for."""
        of_low, C = (self.channels, self.low.shape[1]), self.channels
        return {
            "RATIO": self.ratio,
            "LAST": self.last,
            "EVEN": C % (share * tile.BC) == 0,
            "VEC": gcd(16, *of_low) if self.last else gcd(16, self.size[1]),
            "TY": tile.TY,
            "TX": tile.TX,
            "BC": tile.BC,
            "A": self.accumulator,
            "INDEX": self.index,
            "num_warps": tile.warps,
        }

    def of_field(self) -> dict[str, Any]:
        """Return what variants of kernels that read the field are compiled for."""
        return {"S": self.scale, "SAME": self.same}


def fold_to(dense: Tensor, field: Tensor, scale: int) -> None:
    """Add up a gradient (B, planes, Y, X) of what output pixels read into that of the field."""
    from dysample.backends.gpu.sample import fold

    B, planes, Y, X = dense.shape
    maps = Maps("fold", dense, (Y, X), field, scale, planes)
    tile = tile_of("fold", False, 1)
    h, w = field.shape[2:]
    tiles = maps.tiles(tile, (scale * h, scale * w))
    run(
        fold, (tiles[0] * B * planes,),
        (dense, field, planes, Y, X, h, w, *field.stride(), *tiles),
        S=scale, TY=tile.TY, TX=tile.TX, A=maps.accumulator, INDEX=maps.index, num_warps=tile.warps,
    )  # fmt: skip
