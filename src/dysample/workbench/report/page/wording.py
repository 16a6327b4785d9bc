"""Numbers and counts as the page writes them."""

from __future__ import annotations

from collections.abc import Iterable

from dysample.workbench.report.page.intervals import Range
from dysample.workbench.report.wording import number


def difference(value: float) -> str:
    """With a sign and four decimals: hundredths of a point, as the papers print."""
    return number(value, sign=True, decimals=4)


def interval(ends: Range | None) -> str:
    """Both ends; "-" where there is none."""
    return "-" if ends is None else f"{difference(ends[0])} to {difference(ends[1])}"


def span(counts: Iterable[int], thing: str) -> str:
    """How many: "5 seeds", "3 to 5 seeds"."""
    low, *_, high = sorted([*counts] * 2)
    plural = thing if high == 1 else f"{thing}s"
    return f"{low} {plural}" if low == high else f"{low} to {high} {plural}"
