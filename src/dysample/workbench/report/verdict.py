"""The rule by which a difference is reported, and the sentences that report it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum

from dysample.workbench.numbers import number
from dysample.workbench.report.intervals import Estimate
from dysample.workbench.report.summary import BASELINE, Group, Row
from dysample.workbench.report.wording import KEEP, listed, span

ENOUGH = 3
"""Paired seeds that a conclusion needs: with two, intervals miss the truth too often."""

FEW = 5
"""With fewer seeds than this, the report warns that results may be chance."""

RULE = (
    "A difference is called significant only if both of its 95 % intervals, the bootstrap's over "
    f"seeds and images and Student's t, exclude zero, and over at least {ENOUGH} paired seeds."
)


class Verdict(Enum):
    """The verdict on a difference."""

    BETTER = "better"
    WORSE = "worse"
    OPEN = "not significant"
    FEW = "no conclusion"


HEADS = {
    Verdict.BETTER: "significantly better",
    Verdict.WORSE: "significantly worse",
    Verdict.OPEN: "not significant",
    Verdict.FEW: f"no conclusion from fewer than {ENOUGH} paired seeds",
}
"""The words that introduce the upsamplers with each verdict."""


def verdict(one: Estimate, higher_is_better: bool = True) -> Verdict:
    """Apply `RULE` to the difference of one upsampler to another."""
    if len(one.by_seed) < ENOUGH or one.bootstrap is None or one.t is None:
        return Verdict.FEW
    low, high = min(one.bootstrap[0], one.t[0]), max(one.bootstrap[1], one.t[1])
    if low <= 0 <= high:
        return Verdict.OPEN
    return Verdict.BETTER if (low > 0) is higher_is_better else Verdict.WORSE


def statements(
    group: Group, rows: Sequence[Row], found: Mapping[str, Mapping[str, Estimate]], metric: str
) -> list[str]:
    """Return sentences on one measure: bilinear's mean, then the differences to it by verdict.

    Args:
        group: comparable runs.
        rows: the upsamplers to report, from this group.
        found: from `to_baseline`.
        metric: key of a main measure.
    """
    if group.baseline is None:
        return [
            f"No {BASELINE} run with these settings is in the file, so there are no differences: "
            f"run {BASELINE} with the same seeds to get them."
        ]
    mean = group.baseline.metrics[metric].mean
    level = "undefined" if mean is None else number(mean)
    measure, estimates = group.measures[metric], found[metric]
    lower = "" if measure.higher_is_better else " (lower is better)"
    sentences = [f"{measure.name}{lower} of {BASELINE} is {level}."]
    for start, guided in ((f"Against {BASELINE}", False), ("Of the guided", True)):
        judged = {
            row.name: estimates[row.name]
            for row in rows
            if row.guided is guided and row.name in estimates
        }
        if judged:
            sentences.append(f"{start}, {_by_verdict(judged, measure.higher_is_better)}.")
    unpaired = [row.name for row in rows if row.name not in {BASELINE, *estimates}]
    if unpaired:
        names = listed(unpaired)
        sentences.append(f"No seed in common with {BASELINE}, so no difference: {names}.")
    return sentences


def _by_verdict(estimates: Mapping[str, Estimate], higher_is_better: bool) -> str:
    sides: dict[Verdict, list[str]] = {side: [] for side in Verdict}
    for name, one in estimates.items():
        text = f"{name} {number(one.mean, sign=True)}".replace(" ", KEEP)
        sides[verdict(one, higher_is_better)].append(text)
    return "; ".join(f"{HEADS[side]}: {listed(names)}" for side, names in sides.items() if names)


def seeds_sentence(counts: Iterable[int]) -> str:
    """Return a sentence on the number of seeds and the conclusions that it allows."""
    counts = sorted(counts)
    text = f"{span(counts, 'seed')} per upsampler."
    if counts[0] < ENOUGH:
        return f"{text} Fewer than {ENOUGH} paired seeds allow no conclusion."
    if counts[0] < FEW:
        return (
            f"{text} With fewer than {FEW}, a difference whose interval barely excludes zero may "
            "still be chance."
        )
    return text


MORE = "For a conclusion, run:"
"""Printed above the command."""

SPREAD = (
    "The ± is the sample standard deviation of the paired differences over seeds; it leaves out "
    "the choice of validation frames."
)

GUIDED = (
    "Guided upsamplers also read the encoder's finer features, which the others never see: compare "
    "them with each other first."
)
