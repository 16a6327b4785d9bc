"""COCO's masks against those that pixel centres in the outline make, and everything malformed."""

from typing import Any

import numpy as np
import pytest
from faster_coco_eval.core import mask as rle

from dysample.workbench.data.coco_masks import decode
from support.refusals import refused

SIZE = (6, 8)


def rectangle(left: float, top: float, right: float, bottom: float) -> list[float]:
    return [left, top, right, top, right, bottom, left, bottom]


def covered(left: int, top: int, right: int, bottom: int, size: tuple[int, int] = SIZE) -> list:
    """Pixels whose centres lie in a rectangle."""
    y, x = np.mgrid[: size[0], : size[1]] + 0.5
    return ((left < x) & (x < right) & (top < y) & (y < bottom)).astype(int).tolist()


@pytest.mark.parametrize(
    "box",
    [
        (1, 2, 5, 5),
        (0, 0, 8, 6),
        (-3, 1, 2, 4),  # the rest lies outside, on each side
        (3, -7, 6, 2),
        (5, 2, 30, 4),
        (2, 3, 4, 90),
        (-500, -400, 900, 700),
    ],
)
def test_outlines_are_cut_at_the_image(box: tuple[int, int, int, int]) -> None:
    found = decode([rectangle(*box)], SIZE)
    assert found.dtype == np.uint8
    assert found.tolist() == covered(*box)


def test_a_line_covers_nothing() -> None:
    assert decode([[1, 1, 4, 4]], SIZE).tolist() == np.zeros(SIZE).tolist()
    both = decode([[1, 1, 4, 4], rectangle(1, 2, 5, 5)], SIZE)
    assert both.tolist() == covered(1, 2, 5, 5)


def test_run_lengths() -> None:
    """Column after column, nothing first."""
    assert decode({"size": [6, 8], "counts": [36, 12]}, SIZE).tolist() == covered(6, 0, 8, 6)
    assert decode({"size": [6, 8], "counts": [0, 48]}, SIZE).tolist() == covered(0, 0, 8, 6)
    assert decode({"size": [6, 8], "counts": [48]}, SIZE).sum() == 0
    first = decode({"size": [6, 8], "counts": [1, 2, 45]}, SIZE)
    assert np.argwhere(first).tolist() == [[1, 0], [2, 0]]


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.98, 1.0])
@pytest.mark.parametrize("size", [(6, 8), (1, 1), (97, 131)])
def test_packed_run_lengths(size: tuple[int, int], share: float) -> None:
    mask = (np.random.default_rng(0).random(size) < share).astype(np.uint8)
    packed = rle.encode(np.asfortranarray(mask))["counts"].decode()
    assert decode({"size": list(size), "counts": packed}, size).tolist() == mask.tolist()


POLYGONS = r"must be polygons \[\[x1, y1, x2, y2, ...\], ...\] or run lengths {size, counts}"


@pytest.mark.parametrize(
    ("segmentation", "message"),
    [
        ("4 4 24 4 24 24", rf"^{POLYGONS}$"),
        (7, rf"^{POLYGONS}$"),
        (None, rf"^{POLYGONS}$"),
        (True, rf"^{POLYGONS}$"),
        ([4, 4, 6, 4, 6, 6, 4, 6], rf"^{POLYGONS}$"),
        (["4 4 6 4 6 6"], rf"^{POLYGONS}$"),
        ([None], rf"^{POLYGONS}$"),
        ([{"x": 1}], rf"^{POLYGONS}$"),
        ([[[4, 4], [6, 4], [6, 6]]], rf"^{POLYGONS} of finite numbers, not \[4, 4\]$"),
        ([[4, 4], [6, 4], [6, 6]], rf"^{POLYGONS}, but a polygon has 2 numbers$"),
        ([["4", "4", "6", "4", "6", "6"]], rf"^{POLYGONS} of finite numbers, not '4'$"),
        ([[4, 4, None, 4, 6, 6]], rf"^{POLYGONS} of finite numbers, not None$"),
        ([[4, 4, True, 4, 6, 6]], rf"^{POLYGONS} of finite numbers, not True$"),
        ([[4, 4, float("nan"), 4, 6, 6]], rf"^{POLYGONS} of finite numbers, not nan$"),
        ([[4, 4, float("inf"), 4, 6, 6]], rf"^{POLYGONS} of finite numbers, not inf$"),
        ([[4, 4, 1e300, 4, 6, 6]], rf"^{POLYGONS} of finite numbers, not 1e\+300$"),
        ([[4, 4, 10**30, 4, 6, 6]], rf"^{POLYGONS} of finite numbers, not 10{{30}}$"),
        ([[4, 4, 6, 4, 6, 6, 4]], rf"^{POLYGONS}, but a polygon has 7 numbers$"),
        ([rectangle(1, 2, 5, 5), [4, 4, 6]], rf"^{POLYGONS}, but a polygon has 3 numbers$"),
        ([[]], rf"^{POLYGONS}, but a polygon has 0 numbers$"),
        ([], r"^must hold points; `coco_detection` reads boxes alone$"),
        ([rectangle(9, 1, 12, 3)], r"^must lie in the image, 8x6, at least in part$"),
        ([rectangle(1, -5, 3, -2)], r"^must lie in the image, 8x6, at least in part$"),
        ([rectangle(0, 0, 9e6, 3)], r"^must have outlines of at most 1000000 pixels, not 1.8e\+07"),
        ([[0, 0, 5e5, 1] * 1000], r"^must have outlines of at most 1000000 pixels, not "),
        ({"counts": [48]}, r"^must hold `size` beside \['counts'\]$"),
        ({"size": [6, 8]}, r"^must hold `counts` beside \['size'\]$"),
        ({}, r"^must hold `size` beside \[\]$"),
        ({"size": [8, 6], "counts": [48]}, r"must be of the image's `size` \[6, 8\] \(height, w"),
        ({"size": 48, "counts": [48]}, r"must be of the image's `size` \[6, 8\] .* is of 48$"),
        ({"size": [6], "counts": [48]}, r"must be of the image's `size` \[6, 8\] .* is of \[6\]$"),
        ({"size": None, "counts": [48]}, r"must be of the image's `size` \[6, 8\] .* of None$"),
        ({"size": [6, 8], "counts": [10, 5]}, r"`counts` of 48 pixels in all, .* are of 15$"),
        ({"size": [6, 8], "counts": [10, 500]}, r"`counts` of 48 pixels in all, .* are of 510$"),
        ({"size": [6, 8], "counts": [2**62, 2**62]}, r"`counts` of 48 pixels in all, but they are"),
        ({"size": [6, 8], "counts": []}, r"`counts` of 48 pixels in all, but they are of 0$"),
        ({"size": [6, 8], "counts": [-2, 50]}, r"`counts` that are integers, not negative: \[-2"),
        ({"size": [6, 8], "counts": [24.0, 24.0]}, r"`counts` that are integers, not negative: "),
        ({"size": [6, 8], "counts": [True, 47]}, r"`counts` that are integers, not negative: "),
        ({"size": [6, 8], "counts": ["48"]}, r"`counts` that are integers, not negative: "),
        ({"size": [6, 8], "counts": 48}, r"`counts` that are integers, not negative: 48$"),
        ({"size": [6, 8], "counts": None}, r"`counts` that are integers, not negative: None$"),
        ({"size": [6, 8], "counts": "52"}, r"`counts` of 48 pixels in all, but they are of 7$"),
        ({"size": [6, 8], "counts": ""}, r"`counts` of 48 pixels in all, but they are of 0$"),
        ({"size": [6, 8], "counts": "é"}, r"`counts` that are run lengths packed as text: 'é'$"),
        ({"size": [6, 8], "counts": "o" * 99}, r"`counts` that are run lengths packed as text: "),
        ({"size": [6, 8], "counts": "`"}, r"`counts` that are packed to the end: '`'$"),
        ({"size": [6, 8], "counts": "O"}, r"`counts` that are integers, not negative: \[-1\]$"),
    ],
)  # fmt: skip
def test_everything_else_is_one_line(segmentation: Any, message: str) -> None:
    with refused(message) as caught:
        decode(segmentation, SIZE)
    assert len(str(caught.value)) < 250


def test_damaged_packed_text_never_reaches_beyond_the_mask() -> None:
    rng = np.random.default_rng(0)
    mask = (rng.random((30, 40)) < 0.4).astype(np.uint8)
    packed = bytearray(rle.encode(np.asfortranarray(mask))["counts"])
    refused = 0
    for _ in range(300):
        text = packed.copy()
        text[rng.integers(len(text))] = rng.integers(32, 127)
        try:
            assert decode({"size": [30, 40], "counts": text.decode()}, (30, 40)).shape == (30, 40)
        except ValueError:
            refused += 1
    assert refused > 200
