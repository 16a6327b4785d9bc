"""The search for learning rates on the page, and in the files beside it."""

import csv
import io
import re

import pytest
from rich.console import Console

from dysample.workbench.record import read_records
from dysample.workbench.report.page.csv_table import to_csv
from dysample.workbench.report.page.page import make_page
from dysample.workbench.report.page.tables import measure_table, rate_table
from dysample.workbench.report.rates import CHOSEN
from dysample.workbench.report.report import write_report
from dysample.workbench.report.summary import unfinished
from support.made_results import made_run, tuned_runs, write_runs

TRIED = {
    "bilinear": {1.0: 0.60, 0.1: 0.50},
    "dysample": {1.0: 0.10, 0.1: 0.65},
    "fade": {0.1: 0.62},
}
BEST = {"bilinear": 1.0, "dysample": 0.1, "fade": 0.1}
ROWS = (
    ("bilinear", f"{CHOSEN} .600", ".500", "1"),
    ("dysample", ".100", f"{CHOSEN} .650", "0.1"),
    "guided",
    ("fade", "-", f"{CHOSEN} .620", "0.1"),
)


def both_heads(seeds=2):
    return [
        run
        for head in ("skip", "plain")
        for run in tuned_runs("semantic", TRIED, BEST, seeds, head)
    ]


def test_the_section_has_a_chart_and_a_table_a_head(families, tmp_path):
    page = make_page(families(both_heads()), tmp_path / "results.jsonl")
    (part,) = page.parts
    assert part.title == "Semantic segmentation: scenes 64x64, tuned"
    titles = [section.title for section in part.sections]
    place = titles.index("Learning rates")
    assert titles[place - 1 : place + 2] == ["By class", "Learning rates", "Learning curves"]
    section = part.sections[place]
    assert len(section.charts) == 2
    assert [table.caption for table in section.tables] == [
        f"mIoU against the scale of the learning rate, {head} head" for head in ("plain", "skip")
    ]
    for table in section.tables:
        assert table.columns == ("upsampler", "x\u00a01", "x\u00a00.1", "chosen")
        assert table.rows == ROWS
    assert len(section.sentences) == 2 + 2 * 3  # said once, and of each head
    assert section.sentences[2].startswith("Plain head: No result at some scale")
    assert section.sentences[-1] == (
        "Skip head: At the smallest scale tried, beyond which a better one may lie: dysample and "
        "fade."
    )


def test_the_first_table_has_the_scale_of_each_upsampler(families):
    (family,) = families(both_heads())
    table = measure_table(family, "miou", costs=True)
    place = table.columns.index("rate scale")
    assert [(row[0], row[place]) for row in table.rows if not isinstance(row, str)] == [
        ("bilinear", "1"), ("dysample", "0.1"), ("fade", "0.1"),
    ] * 2  # fmt: skip
    assert {len(row) for row in table.rows if not isinstance(row, str)} == {len(table.columns)}
    assert "rate scale" not in measure_table(family, "miou").columns
    (family,) = families([made_run("semantic", "bilinear", 0)])
    assert "rate scale" not in measure_table(family, "miou", costs=True).columns


def test_runs_and_trials_are_counted_apart(families, tmp_path):
    page = make_page(families(both_heads()), tmp_path / "results.jsonl")
    assert page.lead.startswith("12 runs and 10 trials of learning rates: the same models trained")
    assert page.lead.endswith("and tuned ones in the learning rate chosen for it.")
    (where,) = [one for section in page.sections for one in section.tables if "made" in one.caption]
    rows = dict(where.rows)
    assert (rows["runs"], rows["trials of learning rates"]) == ("12", "10")
    assert rows["training time"] == "0.2 hours, the sum over runs and trials"
    (part,) = page.parts
    settings = dict(part.sections[-1].tables[0].rows)
    assert settings["rate scale"] == "as chosen for each upsampler"
    assert settings["training images"] == "2000"
    assert "held out" not in settings


def test_without_a_search_the_page_says_nothing_of_it(families, tmp_path):
    page = make_page(families([made_run("semantic", "bilinear", 0)]), tmp_path / "results.jsonl")
    assert page.lead.startswith("1 run: the same models")
    assert page.lead.endswith("differ in the upsampler alone.")
    assert "Learning rates" not in [section.title for section in page.parts[0].sections]
    assert all(row[0] != "rate scale" for row in page.parts[0].sections[-1].tables[0].rows)


def test_the_csv_has_the_trials_as_quantities_of_their_own(families):
    lines = list(csv.DictReader(io.StringIO(to_csv(families(both_heads())))))
    trials = [line for line in lines if line["quantity"] == "held_out_miou"]
    plain = [line for line in trials if line["head"] == "plain"]
    assert [
        (one["upsampler"], one["rate_scale"], float(one["mean"]), one["seeds"], one["guided"])
        for one in plain
    ] == [
        ("bilinear", "1.0", 0.60, "1", "False"), ("bilinear", "0.1", 0.50, "1", "False"),
        ("dysample", "1.0", 0.10, "1", "False"), ("dysample", "0.1", 0.65, "1", "False"),
        ("fade", "0.1", 0.62, "1", "True"),
    ]  # fmt: skip
    assert len(trials) == 2 * len(plain)
    assert all(one["difference"] == one["pairs"] == one["verdict"] == "" for one in trials)
    runs = [one for one in lines if one["quantity"] == "miou" and one["head"] == "plain"]
    assert [(one["upsampler"], one["rate_scale"], one["seeds"]) for one in runs] == [
        ("bilinear", "1", "2"), ("dysample", "0.1", "2"), ("fade", "0.1", "2"),
    ]  # fmt: skip
    assert all(float(one["mean"]) not in (0.5, 0.6, 0.65) for one in runs)
    keys = ("head", "upsampler", "quantity", "class", "rate_scale")
    found = [tuple(line[key] for key in keys) for line in lines]
    assert len(found) == len(set(found))


def test_an_undefined_result_is_empty(families):
    runs = tuned_runs("detection", {"dysample": {1.0: None}}, {"dysample": 1.0}, 1, None)
    lines = list(csv.DictReader(io.StringIO(to_csv(families(runs)))))
    (line,) = [one for one in lines if one["quantity"] == "held_out_ap"]
    assert (line["mean"], line["seeds"], line["rate_scale"]) == ("", "1", "1.0")


def test_trials_alone_beside_other_runs_have_a_section_at_the_end(tmp_path):
    runs = [made_run("depth", "bilinear", 0), *tuned_runs("semantic", TRIED, {})]
    path = write_runs(tmp_path / "results.jsonl", runs)
    *_, page = write_report(path, tmp_path, Console(file=io.StringIO()))
    text = page.with_suffix(".md").read_text()
    assert text.startswith("# Upsamplers compared\n\n1 run and 5 trials of learning rates: ")
    (start,) = re.findall(r"^## Learning rates: trials alone$", text, re.MULTILINE)
    section = text[text.index(start) :]
    assert "semantic, scenes 64x64, tuned, plain head: No run at a chosen scale" in section
    assert "| dysample | .100 | .650 | - |" in section
    lines = list(csv.DictReader(io.StringIO(page.with_suffix(".csv").read_text())))
    assert [one["task"] for one in lines if one["quantity"] == "held_out_miou"] == ["semantic"] * 5
    (waiting,) = unfinished(read_records(path))
    assert rate_table(waiting, "t").rows[0] == ("bilinear", ".600", ".500", "-")


def test_markdown_has_the_tables(tmp_path):
    path = write_runs(tmp_path / "results.jsonl", both_heads())
    *_, page = write_report(path, tmp_path, Console(file=io.StringIO()))
    text = page.with_suffix(".md").read_text()
    assert text.count(f"| dysample | .100 | {CHOSEN} .650 | 0.1 |") == 2
    assert "### Learning rates" in text
    assert page.read_text().count("arrow: beyond the axis; cross: no result") == 2


@pytest.mark.parametrize("variants", [("dysample(groups=8)",), ()])
def test_variants_are_in_the_table_and_not_in_the_chart(families, variants, tmp_path):
    runs = both_heads()
    for run in runs if variants else ():
        if run["upsampler"] == "fade":
            run |= {"upsampler": "dysample", "upsampler_options": {"groups": 8}, "guided": False}
    page = make_page(families(runs), tmp_path / "results.jsonl")
    section = next(one for one in page.parts[0].sections if one.title == "Learning rates")
    assert ("dysample(groups=8)" in str(section.tables[0].rows)) is bool(variants)
    assert all("groups" not in chart.svg for chart in section.charts)
