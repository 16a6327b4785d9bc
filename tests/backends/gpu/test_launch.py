"""What kernels are launched with: the width of indices, ratios, tiles."""

from __future__ import annotations

import pytest
import torch

from support.triton_kernels import needs_triton

pytestmark = needs_triton


def maps(low: tuple, size: tuple, field: tuple, scale: int = 1, strides: tuple | None = None):
    from dysample.backends.gpu.launch import Maps

    given = torch.empty(field, device="meta")
    if strides is not None:
        given = torch.empty_strided(field, strides, device="meta")
    return Maps("call", torch.empty(low, device="meta"), size, given, scale, 1)


@pytest.mark.parametrize(
    ("wide", "case"),
    [
        (False, ((1, 8, 16, 16), (32, 32), (1, 2, 32, 32))),
        (False, ((4, 2**11 - 1, 2**10, 2**10), (2**10, 2**10), (4, 2, 8, 8))),  # batches: apart
        (True, ((1, 2**11, 2**10, 2**10), (2**10, 2**10), (1, 2, 8, 8))),  # low-res elements
        (True, ((1, 2**11, 8, 8), (2**10, 2**10), (1, 2, 8, 8))),  # high-res elements
        (True, ((1, 1, 2**15, 1), (2**15, 1), (1, 2, 8, 8))),  # products of lengths
        (True, ((1, 1, 8, 8), (2**15, 1), (1, 2, 2**12, 1), 4)),  # and of sub-pixels
        (True, ((1, 1, 8, 8), (8, 8), (1, 2, 8, 8), 1, (0, 2**31, 8, 1))),  # a field's strides
        (False, ((1, 1, 8, 8), (8, 8), (1, 2, 8, 8), 1, (2**40, 64, 8, 1))),
    ],
)
def test_indices_are_as_wide_as_an_image_needs(wide: bool, case: tuple) -> None:
    import triton.language as tl

    assert maps(*case).index == (tl.int64 if wide else tl.int32)


@pytest.mark.parametrize(
    ("size", "ratio"), [((8, 12), 2), ((4, 6), 1), ((8, 6), 0), ((7, 12), 0), ((2, 3), 0)]
)
def test_ratios_are_whole_on_both_axes_or_none(size: tuple[int, int], ratio: int) -> None:
    assert maps((1, 4, 4, 6), size, (1, 2, *size)).ratio == ratio


def test_every_kernel_has_a_tile_for_both_layouts() -> None:
    from dysample.backends.gpu.tiles import TILES, tile_of

    for kernel, tiles in TILES.items():
        assert set(tiles) == {False, True}
        for tile in tiles.values():  # powers of two, which Triton's ranges have to be
            assert all(n & (n - 1) == 0 and n > 0 for n in tile), kernel
        assert tile_of(kernel, True, 5).BC <= 8
