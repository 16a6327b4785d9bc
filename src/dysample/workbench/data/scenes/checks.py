"""Refusals of wrong arguments, one line each: the argument, its value, its rule."""

import operator
import os
from pathlib import Path
from typing import Any

SMALLEST = 8
"""Fewest pixels a side."""


def at_least(name: str, value: Any, low: int) -> int:
    """Return `value` as an integer of at least `low`."""
    number = _integer(name, value)
    if number < low:
        raise ValueError(f"`{name}` (={value!r}) must be at least {low}")
    return number


def between(name: str, value: Any, low: int, high: int) -> int:
    """Return `value` as an integer from `low` to `high`, both included."""
    number = at_least(name, value, low)
    if number > high:
        raise ValueError(f"`{name}` (={value!r}) must be at most {high}")
    return number


def sides(value: Any) -> tuple[int, int]:
    """Return (height, width) from one side of a square or from both sides."""
    pair = value if isinstance(value, tuple) else (value, value)
    if len(pair) != 2:
        raise ValueError(f"`size` (={value!r}) must be one integer or (height, width)")
    return at_least("size", pair[0], SMALLEST), at_least("size", pair[1], SMALLEST)


def path(name: str, value: Any) -> Path:
    """Return `value` as a path."""
    if not isinstance(value, str | os.PathLike):
        raise TypeError(f"`{name}` (={value!r}) must be a path")
    return Path(value)


def _integer(name: str, value: Any) -> int:
    try:
        if not isinstance(value, bool):  # operator.index takes True for 1, which nobody means
            return operator.index(value)
    except TypeError:
        pass
    raise TypeError(f"`{name}` (={value!r}) must be an integer")
