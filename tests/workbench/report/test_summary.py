"""Means, spreads and paired differences against numbers worked out by hand."""

import math

import pytest

from dysample.workbench.record import read_records
from dysample.workbench.report.report import suffixes
from dysample.workbench.report.summary import summarise
from dysample.workbench.report.wording import settings_text


@pytest.fixture
def rows(entry, write):
    def build(*runs, **settings):
        entries = [
            entry(name, seed, miou=miou, boundary_iou=miou / 2, frames=0, **settings)
            for name, seed, miou in runs
        ]
        (group,) = summarise(read_records(write(entries)))
        return {row.name: row for row in group.rows}

    return build


def test_mean_deviation_and_paired_difference(rows):
    table = rows(
        ("bilinear", 0, 0.50), ("bilinear", 1, 0.60), ("bilinear", 2, 0.70),
        ("dysample", 2, 0.76), ("dysample", 0, 0.52), ("dysample", 1, 0.64),
    )  # fmt: skip
    dysample = table["dysample"]
    assert dysample.metrics["miou"].mean == pytest.approx(0.64)
    assert dysample.metrics["miou"].deviation == pytest.approx(0.12)
    difference = dysample.differences["miou"]
    assert difference.by_seed == pytest.approx({0: 0.02, 1: 0.04, 2: 0.06})
    assert difference.mean == pytest.approx(0.04)
    assert difference.deviation == pytest.approx(0.02)
    assert dysample.differences["boundary_iou"].deviation == pytest.approx(0.01)
    assert table["bilinear"].differences["miou"].mean is None


def test_only_seeds_that_both_have_are_paired(rows):
    table = rows(
        ("bilinear", 0, 0.5), ("dysample", 0, 0.7), ("dysample", 1, 0.9), ("carafe", 1, 0.9)
    )
    assert table["dysample"].differences["miou"].by_seed == pytest.approx({0: 0.2})
    assert table["dysample"].differences["miou"].deviation is None
    assert table["carafe"].differences["miou"].mean is None


def test_one_seed_has_no_spread(rows):
    assert rows(("dysample", 0, 0.5))["dysample"].metrics["miou"].deviation is None


def test_two_seeds_use_n_minus_one(rows):
    table = rows(("dysample", 0, 0.5), ("dysample", 1, 0.6))
    assert table["dysample"].metrics["miou"].deviation == pytest.approx(0.1 / math.sqrt(2))


def test_order_is_the_registrys_then_appearance_then_guided(entry, write):
    names = ["fade", "ours", "dysample", "bilinear", "carafe", "nearest"]
    entries = [entry(name, frames=0, guided=name == "fade") for name in names]
    (group,) = summarise(read_records(write(entries)))
    found = [row.name for row in group.rows]
    assert found == ["nearest", "bilinear", "carafe", "dysample", "ours", "fade"]


def test_other_heads_data_and_options_stay_apart(entry, write):
    entries = [
        entry("bilinear", frames=0),
        entry("bilinear", frames=0, head="skip"),
        entry("bilinear", frames=0, data="camvid"),
        entry("dysample", frames=0),
        entry("dysample", frames=0) | {"run": "0" * 12, "upsampler_options": {"groups": 8}},
    ]
    plain, skip, camvid = summarise(read_records(write(entries)))
    assert [row.name for row in plain.rows] == ["bilinear", "dysample", "dysample(groups=8)"]
    assert plain.apart_from_head == skip.apart_from_head != camvid.apart_from_head
    assert skip.title == "semantic, scenes 64x64, skip head"


def test_seconds_are_the_median(entry, write):
    entries = [
        entry("dysample", seed, frames=0) | {"seconds": {"train": seconds, "evaluate": 1.0}}
        for seed, seconds in enumerate([10.0, 99.0, 12.0])
    ]
    (group,) = summarise(read_records(write(entries)))
    assert group.rows[0].seconds == 12.0


def test_model_and_encoder_are_told_where_they_are_not_the_usual_ones(entry, write):
    """Small models, written before there was a choice and after it, and two others."""
    changes = (
        {},
        {"model": "small", "encoder": "conv", "weights": None},
        {"model": "small", "encoder": "efficientnet_lite0", "weights": None},
        {"model": "segformer_b0", "encoder": None, "head": None, "width": None, "weights": "w.pth"},
    )
    entries = []
    for number, change in enumerate(changes):
        made = entry("bilinear", number, frames=0)
        made["settings"] |= change
        entries.append(made)
    groups = summarise(read_records(write(entries)))
    start = groups[0].title.removesuffix(", plain head")
    assert [group.title.removeprefix(start) for group in groups] == [
        ", plain head",
        ", plain head",
        ", efficientnet_lite0, plain head",
        ", segformer_b0",
    ]
    assert suffixes(groups) == ["", "-2", "-efficientnet_lite0", "-segformer_b0"]
    texts = [settings_text(group) for group in groups]
    assert texts[0] == texts[1] == texts[2]
    assert texts[0].endswith("weight_decay 0.01, width 32")
    assert texts[3].endswith("weight_decay 0.01, weights w.pth")


def test_how_models_train_keeps_groups_apart_and_is_in_their_names(entry, write):
    entries = []
    for number, change in enumerate(({}, {"frozen": True}, {"upsampler_rate": 0.1})):
        made = entry("bilinear", 0, frames=0) | {"run": f"{number:012}"}
        made["settings"] = {**made["settings"], **change}
        entries.append(made)
    groups = summarise(read_records(write(entries)))
    assert [group.title for group in groups] == [
        "semantic, scenes 64x64, plain head",
        "semantic, scenes 64x64, frozen, plain head",
        "semantic, scenes 64x64, upsampler rate 0.1, plain head",
    ]
    assert suffixes(groups) == ["", "-frozen", "-upsampler-rate-0.1"]
    assert len({settings_text(group) for group in groups}) == 1


@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("../../evil", "-..-..-evil"),
        ('<b>"x"\u202e\0|', "-b-x"),
        ("aé" * 400, f"-{'aé' * 16}"),
        ("..", "-.."),
    ],
)
def test_names_of_files_are_short_and_of_plain_characters(name, end, entry, write):
    other = entry("bilinear", 0, frames=0) | {"run": "0" * 12}
    other["data"] = {**other["data"], "name": name}
    groups = summarise(read_records(write([entry("bilinear", 0, frames=0), other])))
    assert suffixes(groups) == ["", end]


def test_the_same_seed_twice_is_no_second_seed(entry, write):
    """Of another precision, say: the run differs, upsampler, seed and settings do not."""
    path = write([entry(frames=0), entry(frames=0) | {"run": "another"}])
    with pytest.raises(
        ValueError, match=r"line 1 and .* line 2: \w+, seed 0, twice under"
    ) as caught:
        summarise(read_records(path))
    assert "\n" not in str(caught.value)
