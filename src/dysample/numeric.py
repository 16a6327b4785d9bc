"""Check numbers, without importing torch. NumPy's numbers are accepted, bool is not."""

from __future__ import annotations

import sys
from numbers import Integral, Real
from typing import Any


def check_int(name: str, value: Any, least: int = 1, most: int | None = None) -> int:
    """Return `value` as Python's integer if it is one from `least` to `most`, both included."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"`{name}` (={value!r}) must be an integer")
    number = int(value)
    if number < least:
        raise ValueError(f"`{name}` (={value}) must be at least {least}")
    if most is not None and number > most:
        raise ValueError(f"`{name}` (={value}) must be at most {most}")
    return number


def check_number(name: str, value: Any, *, zero: bool = False) -> float:
    """Return `value` as Python's number if it is finite and above 0, or 0 where `zero` allows it.

    Integers stay integers.
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"`{name}` (={value!r}) must be a number")
    number = int(value) if isinstance(value, Integral) else float(value)
    # Not math.isfinite, which raises for integers that are larger than any float.
    if not (0 < number <= sys.float_info.max or (zero and number == 0)):
        rule = "not negative" if zero else "above 0"
        raise ValueError(f"`{name}` (={value}) must be finite and {rule}")
    return number
