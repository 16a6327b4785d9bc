"""The tables, and the CSV, against numbers worked out by hand."""

import csv
import io

import pytest

from dysample.workbench.report.page.tables import (
    class_tables,
    cost_table,
    difference_table,
    other_measures,
)
from dysample.workbench.report.page.tidy import COLUMNS, to_csv
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


def test_heads_side_by_side_the_plain_one_first(two_heads):
    table = difference_table(two_heads, "miou")
    assert table.over == (("", 1), ("plain head", 5), ("skip head", 5))
    assert len(table.columns) == 11
    bilinear, carafe, part, fade = table.rows
    assert bilinear[:4] == ("bilinear", "2", ".550", "-")
    assert carafe[:4] == ("carafe", "3", ".687", "+.0300")
    assert carafe[6:9] == ("2", ".560", "+.0100")
    assert part == "guided"
    assert fade[3] == "+.0600"


def test_by_class_is_paired_too(two_heads):
    plain, skip = class_tables(two_heads)
    assert plain.caption.startswith("IoU by class, plain head: bilinear, and mean paired")
    assert plain.columns == ("class", "bilinear", "carafe", "fade\n(guided)")
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
    assert difference_table(family, "abs_rel").over == ()
    assert "lower is better" in difference_table(family, "abs_rel").caption
    assert other_measures(family).caption.endswith("lower is better: rmse")
    (family,) = families([made_run("semantic", "bilinear", 0)])
    assert other_measures(family) is None


def test_costs_are_those_of_the_records(two_heads):
    run = made_run("semantic", "carafe", 0)
    (row,) = [row for row in cost_table(two_heads).rows if row[0] == "carafe"]
    assert row[1].endswith("k")
    assert float(row[1][:-1]) == pytest.approx(run["parameters"]["upsamplers"] / 1000, rel=5e-3)


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
