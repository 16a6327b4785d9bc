"""The choice of the learning rate, with made-up results."""

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from dysample.workbench.choose import UpsamplerSpec
from dysample.workbench.compare.tuning import SCALES, choose, trials_of
from dysample.workbench.record import Measure
from dysample.workbench.run_spec import RunSpec
from dysample.workbench.training_options import TrainingOptions


def spec_of(tiny: Callable, upsampler: str = "dysample", **changes: Any) -> RunSpec:
    settings = tiny(**changes)
    return RunSpec(
        "semantic", "scenes", UpsamplerSpec.parse(upsampler), 0, settings, TrainingOptions()
    )


def record(trial: RunSpec, value: float | None, higher_is_better: bool = True) -> Any:
    return SimpleNamespace(
        run=trial.id,
        settings=trial.settings.to_dict(),
        measures={"it": Measure("it", "it", higher_is_better)},
        value=lambda key: {"it": value}[key],
    )


def test_trials_differ_in_the_scale_alone_and_are_of_held_out_images(tiny: Callable) -> None:
    specs = [spec_of(tiny), spec_of(tiny, "bilinear")]
    found = trials_of(specs)
    assert [[trial.upsampler.name for trial in four] for four in found] == [
        ["dysample"] * 4,
        ["bilinear"] * 4,
    ]
    assert [trial.settings.rate_scale for trial in found[0]] == list(SCALES) == [1, 0.3, 0.1, 0.03]
    for spec, four in zip(specs, found):
        for trial in four:
            back = replace(trial.settings, rate_scale=None, held_out=False)
            assert replace(trial, settings=back) == spec
            assert (trial.about["train"], trial.about["val"]) == (4, 1)
    ids = [one.id for one in [*specs, *(trial for four in found for trial in four)]]
    assert len(set(ids)) == 10


@pytest.mark.parametrize(
    ("values", "higher", "best"),
    [
        ([0.1, 0.4, 0.3, 0.2], True, 0.3),
        ([0.4, 0.3, 0.2, 0.1], False, 0.03),
        ([0.4, 0.4, 0.4, 0.4], True, 1),
        ([None, 0.1, 0.3, 0.3], True, 0.1),
    ],
)
def test_the_best_scale(values: list, higher: bool, best: float, tiny: Callable) -> None:
    (four,) = trials_of([spec_of(tiny)])
    records = [record(trial, value, higher) for trial, value in zip(four, values)]
    choice = choose(four, reversed(records), [])
    assert choice is not None
    scale, line = choice
    assert scale == best
    assert line.startswith(f"semantic dysample: rate x {best:g} (it ")


def test_the_line_names_every_trial(tiny: Callable) -> None:
    (four,) = trials_of([spec_of(tiny)])
    records = [record(trial, value) for trial, value in zip(four, [0.1, None, 0.31, 0.2])]
    assert choose(four, records, []) == (
        0.1,
        "semantic dysample: rate x 0.1 (it .100 at 1, - at 0.3, .310 at 0.1, .200 at 0.03)",
    )


def test_a_diverged_trial_is_the_worst_and_a_missing_one_allows_no_choice(tiny: Callable) -> None:
    (four,) = trials_of([spec_of(tiny)])
    records = [record(trial, 0.1) for trial in four[1:]]
    choice = choose(four, records, [four[0].id])
    assert choice is not None
    assert choice[0] == 0.3
    assert choose(four, records, []) is None
    assert choose(four, [], [trial.id for trial in four]) is None
    others = trials_of([spec_of(tiny, steps=7)])[0]
    assert choose(four, [record(trial, 0.1) for trial in others], []) is None


def test_one_training_image_cannot_be_held_out(tiny: Callable) -> None:
    with pytest.raises(ValueError, match=r"`held_out` \(=True\) needs at least 2 .*, not 1"):
        trials_of([spec_of(tiny, train_frames=1)])
