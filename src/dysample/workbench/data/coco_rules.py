"""Rules for the values in COCO's annotation files."""

import reprlib
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

from dysample.workbench.data.reader import is_name

LARGEST = 2**24
"""Of coordinates: up to here float32 counts pixels one by one."""

_shown = reprlib.Repr()
_shown.maxstring = _shown.maxother = 60


def shown(value: Any) -> str:
    """Return a short one-line form of a value of any length or depth."""
    return _shown.repr(value)


def is_number(value: Any) -> bool:
    """Whether a value is a number that can be a coordinate; true and false are not."""
    return type(value) in (int, float) and abs(value) <= LARGEST  # NaN is not


def is_flag(value: Any) -> bool:
    """Whether a value is 0 or 1; false and true mean the same."""
    return type(value) in (int, float, bool) and value in (0, 1)


def _is_integer(value: Any) -> bool:
    return type(value) is int


def _is_side(value: Any) -> bool:
    return type(value) is int and value > 0


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and is_name(value)


def _is_file_name(value: Any) -> bool:
    if not _is_text(value):
        return False
    path = PurePosixPath(value)
    lengths = [len(part.encode()) for part in path.parts]
    return not path.is_absolute() and ".." not in path.parts and max(lengths, default=0) < 256


def _is_box(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 4
        and all(map(is_number, value))
        and min(value[2:]) >= 0
    )


def _is_area(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value <= LARGEST**2


def _is_colour(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 3
        and all(type(one) is int and 0 <= one <= 255 for one in value)
    )


def _is_segment_id(value: Any) -> bool:
    return type(value) is int and 0 < value < 256**3


RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "area": (_is_area, "must be a finite number, not negative"),
    "bbox": (
        _is_box,
        f"must be x, y, width, height: four finite numbers up to {LARGEST}, sides not negative",
    ),
    "category_id": (_is_integer, "must be an integer"),
    "color": (_is_colour, "must be three integers from 0 to 255"),
    "file_name": (_is_file_name, "must be the name of a file below the folder"),
    "height": (_is_side, "must be a positive integer"),
    "id": (_is_integer, "must be an integer"),
    "image_id": (_is_integer, "must be an integer"),
    "iscrowd": (is_flag, "must be 0 or 1"),
    "isthing": (is_flag, "must be 0 or 1"),
    "name": (_is_text, "must be text of one line"),
    "segment id": (_is_segment_id, "must be an integer from 1 to 256^3 - 1"),
    "segments_info": (lambda value: isinstance(value, list), "must be a list"),
    "width": (_is_side, "must be a positive integer"),
}
"""By key: whether a value is right, and what it must be, for messages."""
