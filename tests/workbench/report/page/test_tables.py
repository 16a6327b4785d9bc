"""The tables, and the CSV, against numbers worked out by hand."""

import csv
import io

import pytest

from dysample.workbench.report.page.blocks import Judged
from dysample.workbench.report.page.csv_table import COLUMNS, to_csv
from dysample.workbench.report.page.tables import (
    class_tables,
    cost_table,
    measure_table,
    other_measures,
    summary_table,
)
from dysample.workbench.report.verdict import Verdict
from support.made_results import made_run


@pytest.fixture
def two_heads(families):
    runs = []
    for head, step in (("skip", 0.01), ("plain", 0.03)):
        for name, gain in (("fade", 2 * step), ("carafe", step), ("bilinear", 0.0)):
            for seed in (0, 1):
                run = made_run("semantic", name, seed, head)
                run["metrics"] = {"miou": 0.5 + 0.1 * seed + gain, "boundary_iou": 0.25}
                run["metrics"]["class_iou"] = {"pole": 0.2 + gain, "sky": None}
                runs.append(run)
    # A seed without a partner is in the mean, and not in the difference.
    run = made_run("semantic", "carafe", 5, "plain")
    run["metrics"] = {"miou": 0.9, "boundary_iou": 0.25, "class_iou": {"pole": 0.9, "sky": None}}
    (family,) = families([*runs, run])
    return family


def test_heads_below_each_other_the_plain_one_first(two_heads):
    table = measure_table(two_heads, "miou", costs=True)
    assert table.columns[:4] == ("upsampler", "miou", "difference", "verdict")
    rows = {row[0]: row for row in table.rows[1:5] if not isinstance(row, str)}
    parts = [row for row in table.rows if isinstance(row, str)]
    assert parts == ["plain head", "plain head, guided", "skip head", "skip head, guided"]
    assert rows["bilinear"][:4] == ("bilinear", ".550", "-", "-")
    few = Judged("no conclusion", Verdict.FEW)
    assert rows["carafe"][:4] == ("carafe", ".687", "+.0300", few)
    assert table.columns[4:7] == ("parameters", "multiply-adds", "train seconds")
    assert rows["carafe"][-1] == "3"
    assert rows["fade"][2] == "+.0600"
    cost = made_run("semantic", "carafe", 0)
    parameters, macs, seconds = rows["carafe"][4:7]
    assert float(parameters[:-1]) == pytest.approx(cost["parameters"]["upsamplers"] / 1e3, rel=5e-3)
    assert float(macs[:-1]) == pytest.approx(cost["macs"]["upsamplers"] / 1e6, rel=5e-3)
    assert seconds == "31.0"
    skip = table.rows[table.rows.index("skip head") + 1 :]
    assert [row[2] for row in skip if not isinstance(row, str)] == ["-", "+.0100", "+.0200"]
    assert {len(row) for row in table.rows if not isinstance(row, str)} == {len(table.columns)}


def test_the_summary_has_a_line_a_group_and_judges_by_the_measure(families):
    levels = {"bilinear": 0.0, "carafe": 0.05, "fade": -0.05, "nearest": 0.0}
    runs = []
    for task, metric in (("semantic", "miou"), ("depth", "abs_rel")):
        for name, gain in levels.items():
            for seed in range(3):
                run = made_run(task, name, seed)
                noise = 1e-3 * ((seed + len(name)) % 3 - 1)
                run["metrics"][metric] = 0.5 + gain + noise
                run["parts"] = {}
                runs.append(run)
    runs = [run for run in runs if (run["task"], run["upsampler"]) != ("depth", "nearest")]
    found = families(runs)
    table = summary_table(found)
    assert table.columns == (
        "task and data", "measure", "bilinear", "nearest", "carafe", "fade (guided)"
    )  # fmt: skip
    semantic, depth = table.rows
    title = "Semantic segmentation: scenes 64x64, plain head"
    assert semantic[:3] == (title, "mIoU", ".500")
    assert table.links[title] == found[0].anchor
    assert [cell.verdict for cell in semantic[3:]] == [Verdict.OPEN, Verdict.BETTER, Verdict.WORSE]
    assert semantic[4].text == "+.050"
    assert depth[1] == "AbsRel \u2193"
    assert depth[3] == "-"
    assert [cell.verdict for cell in depth[4:]] == [Verdict.WORSE, Verdict.BETTER]


def test_by_class_is_paired_too(two_heads):
    plain, skip = class_tables(two_heads)
    assert plain.caption.startswith("IoU by class, plain head: bilinear, and mean paired")
    assert plain.columns == ("class", "bilinear", "carafe", "fade (guided)")
    assert plain.rows == (("pole", ".200", "+.030", "+.060"), ("sky", "-", "-", "-"))
    assert skip.rows[0] == ("pole", ".200", "+.010", "+.020")


def test_by_class_without_bilinear_are_means(families):
    (family,) = families([made_run("detection", "carafe", 0, None)])
    (table,) = class_tables(family)
    assert table.caption == "ap by class: means over seeds"
    assert table.columns == ("class", "carafe")
    assert not any(row[1].startswith("+") for row in table.rows)


def test_one_head_and_no_head_need_no_line_above(families):
    (family,) = families([made_run("depth", "bilinear", 0)])
    assert not any(isinstance(row, str) for row in measure_table(family, "abs_rel").rows)
    assert "lower is better" in measure_table(family, "abs_rel").caption
    assert other_measures(family).caption.endswith("lower is better: rmse")
    (family,) = families([made_run("semantic", "bilinear", 0)])
    assert other_measures(family) is None


def test_costs_are_those_of_the_records(two_heads):
    run = made_run("semantic", "carafe", 0)
    row = next(row for row in cost_table(two_heads).rows if row[0] == "carafe")
    for cell, key, part in zip(
        row[1:], ("parameters",) * 2 + ("macs",) * 2, ("upsamplers", "total") * 2
    ):
        value = float(cell[:-1]) * {"k": 1e3, "M": 1e6}[cell[-1]]
        assert value == pytest.approx(run[key][part], rel=5e-3)


def test_the_csv_has_every_number_once(two_heads):
    lines = list(csv.DictReader(io.StringIO(to_csv([two_heads]))))
    assert tuple(lines[0]) == COLUMNS
    keys = [(one["head"], one["upsampler"], one["quantity"], one["class"]) for one in lines]
    assert len(keys) == len(set(keys))
    found = dict(zip(keys, lines))
    carafe = found[("plain", "carafe", "miou", "")]
    assert float(carafe["difference"]) == pytest.approx(0.03)
    assert float(carafe["mean"]) == pytest.approx((0.53 + 0.63 + 0.9) / 3)
    assert (carafe["seeds"], carafe["pairs"]) == ("3", "2")
    assert carafe["verdict"] == "no conclusion"
    assert float(carafe["bootstrap_low"]) <= 0.03 <= float(carafe["t_high"])
    assert found[("plain", "bilinear", "miou", "")]["difference"] == ""
    assert float(found[("skip", "fade", "class_iou", "pole")]["difference"]) == pytest.approx(0.02)
    assert found[("skip", "fade", "class_iou", "sky")]["mean"] == ""
    assert found[("plain", "fade", "macs_upsamplers", "")]["seeds"] == "2"
