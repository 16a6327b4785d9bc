"""Intervals of paired differences: a bootstrap over seeds and images, and Student's t."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from dysample.workbench.numbers import Range
from dysample.workbench.record import Record
from dysample.workbench.report.summary import BASELINE, Group, Row

DRAWS = 10_000
LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """
    The mean difference between two rows over the seeds that both have, with its uncertainty.

    Attributes:
        by_seed: the difference of each seed, on all validation images.
        images: whether the intervals cover the choice of validation images as well.
        bootstrap: 95 % interval by resampling; None for a single seed, as an interval over images
            alone would be taken for more than it is.
        t: 95 % interval by Student's t, which knows how few the seeds are; None likewise.
    """

    by_seed: Mapping[int, float]
    images: bool
    bootstrap: Range | None
    t: Range | None

    @property
    def mean(self) -> float:
        """The mean over seeds."""
        return float(np.mean(list(self.by_seed.values())))


def to_baseline(group: Group) -> Mapping[str, Mapping[str, Estimate]]:
    """Return the difference of every row to bilinear, by main measure and name of the row."""
    baseline = group.baseline
    return {
        metric: {
            row.name: found
            for row in group.rows
            if baseline is not None
            and row.name != BASELINE
            and (found := estimate(row, baseline, metric)) is not None
        }
        for metric in group.main
    }


def estimate(row: Row, other: Row, metric: str) -> Estimate | None:
    """
    Return the mean of `row` minus `other`, paired by seed; None without a common seed.

    Seeds and parts of the validation images are resampled independently of each other, and every
    seed gets the same parts, because all runs are evaluated on the same images. (Parts drawn anew
    for each seed would average the images' share of the noise out, as if each seed had images of
    its own.) The interval is moved to the difference on all images: a measure such as mIoU over a
    tenth of the images is not the same quantity, but it varies alike.
    """
    partners = {record.seed: record for record in other.records}
    both = [(one, partners[one.seed]) for one in row.records if one.seed in partners]
    by_seed = {
        one.seed: value - base
        for one, two in both
        if (value := one.value(metric)) is not None and (base := two.value(metric)) is not None
    }
    if not by_seed:
        return None
    whole = np.array(list(by_seed.values()))
    parts = _parts([pair for pair in both if pair[0].seed in by_seed], metric)
    if len(whole) < 2:
        return Estimate(by_seed, parts is not None, None, None)
    mean = float(whole.mean())
    means = _resampled(whole[:, None] if parts is None else parts)
    middle = mean if parts is None else float(parts.mean())
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(means, (tail, 1 - tail)) - middle + mean
    half = _half_width(whole, parts)
    return Estimate(
        by_seed, parts is not None, (float(low), float(high)), (mean - half, mean + half)
    )


def student(probability: float, freedom: float) -> float:
    """Quantile of Student's t; with t = sqrt(n) tan(a) its density is cos(a)^(n-1)."""
    angle = np.linspace(-np.pi / 2, np.pi / 2, 50_001)
    density = np.cos(angle).clip(0) ** (freedom - 1)
    mass = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2)])
    return float(np.sqrt(freedom) * np.tan(np.interp(probability, mass / mass[-1], angle)))


def _parts(pairs: list[tuple[Record, Record]], metric: str) -> NDArray[np.float64] | None:
    """Return differences (seeds, parts), without parts where the measure is undefined for a run."""
    values = [[record.parts.get(metric, ()) for record in pair] for pair in pairs]
    if len({len(one) for pair in values for one in pair}) != 1:
        return None
    table = np.array(values, dtype=np.float64)  # (seeds, 2, parts), None as nan
    table = table[..., ~np.isnan(table).any(axis=(0, 1))]
    return table[:, 0] - table[:, 1] if table.shape[-1] > 1 else None


def _resampled(differences: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return bootstrap means: rows and columns of (seeds, parts) are drawn with replacement."""
    seeds, parts = differences.shape
    mean: NDArray[np.float64] = ((_shares(seeds, 0) @ differences) * _shares(parts, 1)).sum(axis=1)
    return mean


@lru_cache(maxsize=64)
def _shares(count: int, stream: int) -> NDArray[np.float64]:
    """Return the share of each of `count` items in each draw, (draws, count), from a fixed seed."""
    rng = np.random.default_rng([stream, count])
    return rng.multinomial(count, [1 / count] * count, size=DRAWS) / count


def _half_width(whole: NDArray[np.float64], parts: NDArray[np.float64] | None) -> float:
    """Return half the t interval's width; variances over seeds and images add (Welch's freedom)."""
    samples = [whole] if parts is None else [whole, parts.mean(axis=0)]
    variances = [float(sample.var(ddof=1)) / len(sample) for sample in samples]
    total = sum(variances)
    if total == 0:
        return 0.0
    freedom = total**2 / sum(
        variance**2 / (len(sample) - 1) for variance, sample in zip(variances, samples)
    )
    return student((1 + LEVEL) / 2, freedom) * math.sqrt(total)
