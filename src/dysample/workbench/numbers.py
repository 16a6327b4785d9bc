"""Numbers as text."""

from __future__ import annotations

Range = tuple[float, float]
"""Both ends of an interval."""


def number(value: float, sign: bool = False, decimals: int = 3) -> str:
    """Format a number without a leading zero: .705, +.015."""
    text = f"{value:{'+' if sign else ''}.{decimals}f}"
    return text.replace("0.", ".", 1) if abs(round(value, decimals)) < 1 else text


def difference(value: float) -> str:
    """Format a difference with sign and four decimals: hundredths of a point, as in the papers."""
    return number(value, sign=True, decimals=4)


def interval(ends: Range | None) -> str:
    """Format both ends of an interval; "-" for None."""
    return "-" if ends is None else f"{difference(ends[0])} to {difference(ends[1])}"


def count(value: float) -> str:
    """Three significant digits with a unit: 12.3k, 1.23M."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= 0.9995 * size:
            return f"{three_digits(value / size)}{unit}"
    return f"{value:.0f}"


def three_digits(value: float) -> str:
    """Three significant digits, never an exponent: 0.0123, 0.123, 1.23, 12.3, 123, 1234."""
    decimals = sum(value < limit for limit in (99.95, 9.995, 0.9995, 0.09995))
    return f"{value:.{decimals}f}"
