"""Variants are found, ordered by what is varied, and kept out of the other charts."""

import pytest

from dysample.workbench.report.page.ablations import ablation_table, find_ablations
from support.made_results import ABLATIONS, made_run


def with_ablations():
    runs = [
        made_run("semantic", name, seed) for name in ("bilinear", "dysample") for seed in (0, 1)
    ]
    return runs + [made_run("semantic", n, s, "plain", o) for n, o in ABLATIONS for s in (0, 1)]


def test_steps_and_options_in_order(families):
    (family,) = families(with_ablations())
    (member,) = family.members
    assert [row.name for row in member.rows] == ["bilinear", "dysample"]
    design, scope, groups = find_ablations(member)
    assert [label[:2] for label in design.labels] == ["0:", "1:", "2:", "3:", "4:"]
    assert design.reference == (None, *(f"dysample_step_{step}" for step in range(4)))
    assert scope.labels == ("0.1", "0.25 (default)", "0.5", "1.0")
    assert groups.labels == ("1", "2", "4 (default)", "8", "16")  # not by text
    assert groups.reference == ("dysample", "dysample", None, "dysample", "dysample")


def test_gains_are_those_over_the_step_before(families):
    runs = with_ablations()
    for run in runs:
        run["parts"] = {}
        if run["upsampler"].startswith("dysample_step_"):
            run["metrics"]["miou"] = 0.5 + 0.01 * int(run["upsampler"][-1])
    (family,) = families(runs)
    (member,) = family.members
    table = ablation_table(member, find_ablations(member)[0])
    assert table.caption == ("The steps of DySample's design: mIoU, plain head, paired differences")
    assert table.columns[2::3] == ("to bilinear", "to the step before", "published gain, points")
    assert [row[5] for row in table.rows] == ["-", *["+.0100"] * 4]
    assert [row[-1] for row in table.rows] == ["-", "+0.2", "+0.3", "+0.8", "+0.1"]
    assert {len(row) for row in table.rows} == {len(table.columns)}


def test_a_missing_step_leaves_the_next_without_a_gain(families):
    runs = [run for run in with_ablations() if run["upsampler"] != "dysample_step_2"]
    (family,) = families(runs)
    design = find_ablations(family.members[0])[0]
    assert design.reference == (None, "dysample_step_0", None, "dysample_step_3")


def test_an_option_of_an_unregistered_upsampler_and_texts_as_values(families):
    runs = [made_run("semantic", "bilinear", 0)]
    runs += [made_run("semantic", "mine", 0, "plain", {"kind": kind}) for kind in ("b", "a")]
    runs += [made_run("semantic", "dysample", 0, "plain", {"style": "pl", "groups": 2})]
    (family,) = families(runs)
    (only,) = find_ablations(family.members[0])  # two options at once are no series
    assert only.title == "mine: kind"
    assert only.labels == ("a", "b")
    assert only.reference == (None, None)


@pytest.mark.parametrize("others", [[], ["bilinear"], ["bilinear", "carafe"]])
def test_variants_are_shown_as_upsamplers_unless_there_are_others(families, others):
    steps = ["dysample_step_0", "dysample_step_1"]
    (family,) = families([made_run("semantic", name, 0) for name in [*others, *steps]])
    (member,) = family.members
    assert [row.name for row in member.variants] == steps
    assert [row.name for row in member.rows] == (others if "carafe" in others else others + steps)
    assert len(find_ablations(member)) == 1
