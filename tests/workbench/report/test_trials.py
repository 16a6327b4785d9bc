"""Which runs are compared when learning rates were searched, and which only chose one."""

import pytest

from dysample.workbench.record import read_records
from dysample.workbench.report.report import suffixes
from dysample.workbench.report.summary import families, summarise, unfinished
from dysample.workbench.report.wording import settings_text
from support.made_results import made_run, made_trial, tuned_runs, write_runs

TRIED = {
    "bilinear": {1.0: 0.60, 0.3: 0.59, 0.1: 0.50, 0.03: 0.40},
    "dysample": {1.0: 0.10, 0.3: 0.61, 0.1: 0.65, 0.03: 0.63},
}
CHOSEN = {"bilinear": 1.0, "dysample": 0.1}


@pytest.fixture
def read(tmp_path):
    return lambda runs: read_records(write_runs(tmp_path / "results.jsonl", runs))


def tuned(seeds=2, head="plain"):
    """Runs whose means are known: .7 and .8, .9 and 1."""
    runs = tuned_runs("semantic", TRIED, CHOSEN, seeds, head)
    for run in runs:
        if "held_out" not in run["settings"]:
            start = {"bilinear": 0.7, "dysample": 0.9}[run["upsampler"]]
            run["metrics"]["miou"] = start + 0.1 * run["seed"]
    return runs


def test_a_trial_is_in_no_mean_and_no_row(read):
    (group,) = summarise(read(tuned()))
    found = {row.name: row for row in group.rows}
    assert {name: row.metrics["miou"].mean for name, row in found.items()} == pytest.approx(
        {"bilinear": 0.75, "dysample": 0.95}
    )
    assert found["dysample"].differences["miou"].by_seed == pytest.approx({0: 0.2, 1: 0.2})
    assert all(
        [record.seed for record in row.records] == [0, 1] and row.seconds == 30.5
        for row in group.rows
    )
    assert not unfinished(read(tuned()))


def test_trials_belong_to_the_runs_whose_rate_they_chose(read):
    plain, skip = summarise(read([*tuned(head="skip"), *tuned()][::-1]))
    assert (plain.head, skip.head) == ("plain", "skip")
    for group in (plain, skip):
        assert [one.name for one in group.searches] == ["bilinear", "dysample"]
        assert [one.chosen for one in group.searches] == [(1.0,), (0.1,)]
        assert [one.fixed for one in group.searches] == [True, False]
        for one in group.searches:
            scores = one.scores("miou")
            assert list(scores) == [1.0, 0.3, 0.1, 0.03]
            assert {scale: score.mean for scale, score in scores.items()} == TRIED[one.name]
    assert families([plain, skip]) == [[plain, skip]]
    assert plain.data["train"] == 2000


@pytest.mark.parametrize(
    "change", [{"settings": {"steps": 900}}, {"data": {"train": 1000}}, {"data": {"height": 32}}]
)
def test_trials_of_other_runs_stay_apart(read, change):
    runs = tuned()
    for run in runs[:8]:  # the trials
        for key, values in change.items():
            run[key] = {**run[key], **values}
    records = read(runs)
    (group,) = summarise(records)
    (waiting,) = unfinished(records)
    assert all(one.trials == () and one.chosen for one in group.searches)
    assert [len(one.trials) for one in waiting.searches] == [4, 4]
    assert all(one.chosen == () for one in waiting.searches)
    assert waiting.rows == ()
    assert waiting.measures == group.measures


def test_tuned_runs_and_others_are_never_in_one_group(read):
    untuned = [made_run("semantic", name, seed) for name in CHOSEN for seed in (0, 1)]
    groups = summarise(read([*untuned, *tuned()]))
    assert [group.title for group in groups] == [
        "semantic, scenes 64x64, plain head",
        "semantic, scenes 64x64, tuned, plain head",
    ]
    assert [len(row.records) for group in groups for row in group.rows] == [2, 2, 2, 2]
    assert [len(group.searches) for group in groups] == [0, 2]
    assert suffixes(groups) == ["", "-tuned"]
    assert len({settings_text(group) for group in groups}) == 1
    assert len(families(groups)) == 2
    assert all("rate_scale" not in group.settings for group in groups)


def test_a_scale_that_was_given_is_a_chosen_one(read):
    (group,) = summarise(read(tuned()[8:]))
    assert group.tuned
    assert [(one.trials, one.chosen) for one in group.searches] == [((), (1.0,)), ((), (0.1,))]


def test_seeds_at_several_scales_are_told(read):
    runs = tuned()
    runs[-1]["settings"] = {**runs[-1]["settings"], "rate_scale": 0.3}
    (group,) = summarise(read(runs))
    assert group.search("dysample").chosen == (0.3, 0.1)
    assert group.search("carafe") is None


def test_one_seed_at_two_scales_is_refused(read):
    runs = tuned()
    again = {**runs[-1], "run": "0" * 12}
    again["settings"] = {**again["settings"], "rate_scale": 0.3}
    with pytest.raises(
        ValueError,
        match=r"line 12 and .* line 13: dysample, seed 1, twice under the same settings, at "
        r"`rate_scale` 0\.1 and 0\.3: put them into two files$",
    ):
        summarise(read([*runs, again]))
    again["settings"]["rate_scale"] = 0.1
    with pytest.raises(ValueError, match="same settings, from other weights or another precision"):
        summarise(read([*runs, again]))


def test_a_trial_twice_is_refused_and_another_seed_of_it_is_not(read):
    runs = tuned()
    with pytest.raises(ValueError, match=r"line 5 and .* line 13: dysample, seed 0, twice under"):
        summarise(read([*runs, {**runs[4], "run": "0" * 12}]))
    other = made_trial(made_run("semantic", "dysample", 7), 1.0, 0.2)
    (group,) = summarise(read([*runs, other]))
    assert group.search("dysample").scores("miou")[1.0].by_seed == {0: 0.10, 7: 0.2}


def test_held_out_images_without_a_scale_are_a_group_of_their_own(read):
    runs = [made_run("semantic", "bilinear", seed) for seed in (0, 1)]
    runs[1]["settings"] = {**runs[1]["settings"], "held_out": True}
    one, other = summarise(read(runs))
    assert (one.title, other.title) == (
        "semantic, scenes 64x64, plain head",
        "semantic, scenes 64x64, held-out images, plain head",
    )
    assert not other.tuned
    assert settings_text(one) == settings_text(other)
    assert suffixes([one, other]) == ["", "-held-out-images"]
