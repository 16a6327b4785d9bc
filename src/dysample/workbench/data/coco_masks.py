"""Decode COCO's masks: polygons, or run lengths, packed or not."""

from itertools import chain, pairwise
from typing import Any

import numpy as np
from faster_coco_eval.core import mask as rle
from numpy.typing import NDArray

from dysample.workbench.data.coco_json import is_number, shown
from dysample.workbench.data.images import Size

LONGEST = 1_000_000
"""Pixels of an outline: what is drawn takes memory in proportion, also outside of the image."""

_SHAPE = "must be polygons [[x1, y1, x2, y2, ...], ...] or run lengths {size, counts}"


def decode(segmentation: Any, size: Size) -> NDArray[np.uint8]:
    """Decode a mask (H, W), 1 on the object.

    Args:
        segmentation: a list of polygons, or a dictionary of run lengths.
        size: height and width of the image.

    Raises:
        ValueError: another form or other values; the message begins with what must be.
    """
    if isinstance(segmentation, dict):
        return _from_runs(segmentation, size)
    if not isinstance(segmentation, list):
        raise ValueError(_SHAPE)
    if not segmentation:
        raise ValueError("must hold points; `coco_detection` reads boxes alone")
    for polygon in segmentation:
        _check_polygon(polygon)
    height, width = size
    x, y = (list(chain(*(polygon[axis::2] for polygon in segmentation))) for axis in (0, 1))
    if max(x) < 0 or min(x) > width or max(y) < 0 or min(y) > height:
        raise ValueError(f"must lie in the image, {width}x{height}, at least in part")
    # The library would read four numbers as a box.
    polygons = [polygon for polygon in segmentation if len(polygon) >= 6]
    if not polygons:  # a line covers nothing
        return np.zeros(size, np.uint8)
    mask: NDArray[np.uint8] = rle.decode(rle.merge(rle.frPyObjects(polygons, height, width)))
    return mask


def _check_polygon(polygon: Any) -> None:
    if not isinstance(polygon, list):
        raise ValueError(_SHAPE)
    wrong = [value for value in polygon if not is_number(value)]
    if wrong:
        raise ValueError(f"{_SHAPE} of finite numbers, not {shown(wrong[0])}")
    if len(polygon) % 2 or len(polygon) < 4:
        raise ValueError(f"{_SHAPE}, but a polygon has {len(polygon)} numbers")
    points = [*zip(polygon[::2], polygon[1::2]), polygon[:2]]
    length = sum(max(abs(a - c), abs(b - d)) for (a, b), (c, d) in pairwise(points))
    if length > LONGEST:
        raise ValueError(f"must have outlines of at most {LONGEST} pixels, not {length:.3g}")


def _from_runs(runs: dict[str, Any], size: Size) -> NDArray[np.uint8]:
    for key in ("size", "counts"):
        if key not in runs:
            raise ValueError(f"must hold `{key}` beside {shown(list(runs))}")
    height, width = size
    if runs["size"] != [height, width]:
        raise ValueError(
            f"must be of the image's `size` {[height, width]} (height, width), but is of"
            f" {shown(runs['size'])}"
        )
    counts = runs["counts"]
    if isinstance(counts, str):
        counts = _unpack(counts)
    if not isinstance(counts, list) or not all(type(n) is int and n >= 0 for n in counts):
        raise ValueError(f"must hold `counts` that are integers, not negative: {shown(counts)}")
    if sum(counts) != height * width:
        raise ValueError(
            f"must hold `counts` of {height * width} pixels in all, but they are of"
            f" {shown(sum(counts))}"
        )
    # Runs of 0 and 1 in turn, column after column
    values = np.arange(len(counts), dtype=np.uint8) % 2
    return np.repeat(values, counts).reshape(width, height).T


def _unpack(text: str) -> list[int]:
    """Unpack run lengths from COCO's text form.

    A number is written in digits of 5 bits, the lowest first, each as the character 48 + digit,
    + 32 if another digit follows; the last digit's highest bit is the sign. From the fourth one
    on, numbers are differences to the number before the last.
    """
    counts: list[int] = []
    number, shift = 0, 0
    for character in text:
        digit = ord(character) - 48
        if not 0 <= digit < 64 or shift > 60:
            raise ValueError(
                f"must hold `counts` that are run lengths packed as text: {shown(text)}"
            )
        number |= (digit & 31) << shift
        shift += 5
        if digit < 32:
            if digit & 16:
                number -= 1 << shift
            counts.append(number + (counts[-2] if len(counts) > 2 else 0))
            number, shift = 0, 0
    if shift:
        raise ValueError(f"must hold `counts` that are packed to the end: {shown(text)}")
    return counts
