"""Intervals against numbers worked out by hand, and how often they hold what is true."""

from dataclasses import replace

import numpy as np
import pytest

from dysample.workbench.record import read_records
from dysample.workbench.report import intervals
from dysample.workbench.report import verdict as rule
from dysample.workbench.report.intervals import estimate, student
from dysample.workbench.report.summary import summarise
from dysample.workbench.report.verdict import Verdict, verdict


@pytest.fixture
def rows(entry, write):
    """Rows of bilinear and dysample with given mIoU by seed, and parts if given."""

    def build(bilinear, dysample, parts=None):
        entries = []
        for name, values in (("bilinear", bilinear), ("dysample", dysample)):
            for seed, value in values.items():
                line = entry(name, seed, miou=value, frames=0)
                if parts:
                    line["parts"] = {"miou": parts[name][seed]}
                entries.append(line)
        (group,) = summarise(read_records(write(entries)))
        return group.rows[1], group.rows[0]

    return build


@pytest.mark.parametrize(
    ("freedom", "expected"),
    [(1, 12.7062), (2, 4.30265), (2.5, 3.57466), (9, 2.26216), (200, 1.97190)],
)
def test_students_t_against_tables(freedom, expected):
    assert student(0.975, freedom) == pytest.approx(expected, rel=1e-4)
    assert student(0.5, freedom) == pytest.approx(0, abs=1e-6)


def test_seeds_alone(rows):
    found = estimate(*rows({0: 0.5, 1: 0.5, 2: 0.5}, {0: 0.51, 1: 0.52, 2: 0.53, 7: 0.9}), "miou")
    assert found.by_seed == pytest.approx({0: 0.01, 1: 0.02, 2: 0.03})
    assert found.mean == pytest.approx(0.02)
    assert not found.images
    # All three draws alike has a chance of 1 in 27 for each seed, more than 2.5 %.
    assert found.bootstrap == pytest.approx((0.01, 0.03))
    half = 4.30265 * 0.01 / 3**0.5
    assert found.t == pytest.approx((0.02 - half, 0.02 + half), rel=1e-3)
    assert verdict(found) is Verdict.OPEN  # though the bootstrap excludes zero


def test_both_intervals_off_zero_are_significant(rows):
    baseline = {0: 0.5, 1: 0.5, 2: 0.5}
    above = {0: 0.520, 1: 0.522, 2: 0.521}
    assert verdict(estimate(*rows(baseline, above), "miou")) is Verdict.BETTER
    better, worse = rows(baseline, above)
    assert verdict(estimate(worse, better, "miou")) is Verdict.WORSE


def test_one_seed_without_parts_has_no_interval(rows):
    found = estimate(*rows({0: 0.5}, {0: 0.6}), "miou")
    assert (found.bootstrap, found.t, verdict(found)) == (None, None, Verdict.FEW)
    assert estimate(*rows({0: 0.5}, {1: 0.6}), "miou") is None


def test_one_seed_has_none_even_with_parts(rows):
    parts = {"bilinear": {0: [0.5] * 10}, "dysample": {0: [0.58, 0.62] * 5}}
    found = estimate(*rows({0: 0.5}, {0: 0.61}, parts), "miou")
    assert found.by_seed == pytest.approx({0: 0.11})
    assert (found.bootstrap, found.t, verdict(found)) == (None, None, Verdict.FEW)


def test_the_interval_lies_around_the_difference_on_all_images(rows):
    parts = {"bilinear": {0: [0.5] * 10, 1: [0.5] * 10}}
    parts["dysample"] = {0: [0.58, 0.62] * 5, 1: [0.58, 0.62] * 5}
    found = estimate(*rows({0: 0.5, 1: 0.5}, {0: 0.61, 1: 0.61}, parts), "miou")
    # The parts' mean is .10.
    assert sum(found.bootstrap) / 2 == pytest.approx(0.11, abs=5e-4)
    assert sum(found.t) / 2 == pytest.approx(0.11)


def test_images_shared_by_all_seeds_do_not_average_out(rows):
    """Every seed differs alike on each part: more seeds must not make the interval narrower."""
    widths = []
    for count in (2, 8):
        seeds = range(count)
        parts = {
            "bilinear": dict.fromkeys(seeds, [0.5] * 10),
            "dysample": dict.fromkeys(seeds, [0.5, 0.6] * 5),
        }
        found = estimate(
            *rows(dict.fromkeys(seeds, 0.5), dict.fromkeys(seeds, 0.55), parts), "miou"
        )
        widths.append(found.bootstrap[1] - found.bootstrap[0])
        assert found.bootstrap[0] > 0
        assert verdict(found) is (Verdict.BETTER if count == 8 else Verdict.FEW)
    assert widths[0] == pytest.approx(widths[1])
    assert widths[0] == pytest.approx(2 * 1.96 * 0.05 / 10**0.5, rel=0.05)


def test_parts_that_are_undefined_are_left_out(rows):
    parts = {
        "bilinear": {0: [0.5, 0.5, None, 0.5], 1: [0.5] * 4},
        "dysample": {0: [0.6, 0.6, 0.9, 0.6], 1: [0.6, 0.6, 0.9, 0.6]},
    }
    found = estimate(*rows({0: 0.5, 1: 0.5}, {0: 0.6, 1: 0.6}, parts), "miou")
    assert found.images
    assert found.bootstrap == pytest.approx((0.1, 0.1))
    assert found.t == pytest.approx((0.1, 0.1))


def test_a_run_without_parts_leaves_the_seeds(rows):
    parts = {"bilinear": {0: [0.5, 0.5], 1: []}, "dysample": {0: [0.6, 0.6], 1: [0.6, 0.6]}}
    assert not estimate(*rows({0: 0.5, 1: 0.5}, {0: 0.6, 1: 0.61}, parts), "miou").images


def test_the_same_numbers_at_every_call(rows):
    pair = rows({0: 0.5, 1: 0.5, 2: 0.5}, {0: 0.51, 1: 0.5, 2: 0.53})
    first = estimate(*pair, "miou")
    intervals._shares.cache_clear()
    assert estimate(*pair, "miou") == first


def test_the_t_interval_holds_the_truth_as_often_as_it_says(rows):
    """Noise of seeds and of images without any difference: about 5 % of the intervals miss zero."""
    rng = np.random.default_rng(0)
    missed = 0
    for _ in range(400):
        seeds, images = rng.normal(size=(3, 1)), rng.normal(size=(1, 10))
        table = seeds + 2 * images + rng.normal(size=(3, 10))
        half = intervals._half_width(table.mean(axis=1), table)
        missed += abs(table.mean()) > half
    assert missed < 0.08 * 400


def test_runs_that_do_not_differ_are_seldom_called_different(rows, monkeypatch):
    """Three seeds, or five, keep to about 5 %; two, of which no statement is made, do not."""
    rng = np.random.default_rng(0)
    pair = rows({0: 0.5, 1: 0.5}, {0: 0.5, 1: 0.5})

    def called(seeds: int) -> float:
        found = 0
        for _ in range(400):
            by_seed = rng.normal(size=seeds)
            ours = [
                replace(pair[0].records[0], seed=s, metrics={"m": v}) for s, v in enumerate(by_seed)
            ]
            none = [replace(one, metrics={"m": 0.0}) for one in ours]
            one = estimate(replace(pair[0], records=ours), replace(pair[1], records=none), "m")
            found += verdict(one) in (Verdict.BETTER, Verdict.WORSE)
        return found / 400

    assert called(3) < 0.08
    assert called(5) < 0.08
    assert called(2) == 0
    monkeypatch.setattr(rule, "ENOUGH", 2)
    assert called(2) > 0.02


def test_seeds_and_parts_are_drawn_independently():
    """As many seeds as parts: drawn alike, a diagonal would count almost twice."""
    assert intervals._resampled(np.eye(10)).mean() == pytest.approx(0.1, abs=0.002)
