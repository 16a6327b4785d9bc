"""The page as a whole: what is on it, the same bytes every time, small enough to send."""

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from dysample.workbench.drawing.canvas import Chart
from dysample.workbench.record import read_records
from dysample.workbench.report.page import pictures
from dysample.workbench.report.page.blocks import Judged, Page, Part, Picture, Section, Table, Told
from dysample.workbench.report.page.page import make_page, render, write_page
from dysample.workbench.report.page.pictures import BUDGET, Embedder
from dysample.workbench.report.report import write_report
from dysample.workbench.report.summary import summarise
from dysample.workbench.report.verdict import MORE, Verdict
from support.made_results import ABLATIONS, TASKS, evidence_runs, made_run, write_runs


def write(folder: Path, runs: list[dict]) -> list[Path]:
    folder.mkdir(exist_ok=True)
    path = write_runs(folder / "results.jsonl", runs)
    groups = summarise(read_records(path))
    return write_page(groups, [[] for _ in groups], path, folder)


def test_the_same_runs_give_the_same_bytes(tmp_path):
    runs = [made_run("depth", name, seed) for name in ("bilinear", "carafe") for seed in (0, 1)]
    first = [path.read_bytes() for path in write(tmp_path / "one", runs)]
    again = [path.read_bytes() for path in write(tmp_path / "two", runs)]
    assert first == again


def test_tasks_stand_in_one_order_whatever_the_file_has(families, tmp_path):
    order = ("depth", "juggling", "panoptic", "semantic")
    runs = [made_run("depth" if task == "juggling" else task, "bilinear", 0) for task in order]
    runs[1] |= {"task": "juggling", "run": "0" * 12}
    page = make_page(families(runs), tmp_path / "results.jsonl")
    titles = [
        "Semantic segmentation: scenes 64x64",
        "Panoptic segmentation: scenes 96x96",
        "Depth estimation: scenes 64x64",
        "juggling: scenes 64x64",
    ]
    assert [part.title for part in page.parts] == titles
    assert [row[0] for row in page.summary.rows] == [f"{title}, plain head" for title in titles]


def test_sections_stand_in_the_order_in_which_a_reader_asks(families, tmp_path):
    runs = [made_run("semantic", name, s) for name in ("bilinear", "carafe") for s in range(3)]
    runs += [made_run("semantic", name, 0, "plain", options) for name, options in ABLATIONS]
    page = make_page(families(runs), tmp_path / "results.jsonl")
    assert page.summary is None
    (part,) = page.parts
    assert [section.title for section in (*part.sections, *page.sections)] == [
        "Second measure: boundary IoU",
        "Accuracy against cost",
        "By class",
        "Learning curves",
        "Ablations",
        "Data and settings",
        "How to read the differences",
        "Versions and machine",
        "Published scores",
    ]
    (told,) = part.told
    assert told.sentence.startswith("Plain head, 3 seeds. mIoU of bilinear is .")
    assert told.command == ""  # variants are not what the comparison is about
    assert len(part.charts) == 1
    (detection,) = make_page(
        families([made_run("detection", "carafe", 0, None)]), tmp_path / "results.jsonl"
    ).parts
    assert detection.charts == ()
    assert "Further measures" in [section.title for section in detection.sections]
    assert detection.told[0].command.startswith("dysample compare --tasks detection")


def test_published_scores_stand_beside_the_costs(families, tmp_path):
    """As a chart where the costs of the model are known, in words where they are not."""
    for task, charts, words in (("semantic", 2, ""), ("depth", 1, "DepthFormer Swin-T")):
        page = make_page(families([made_run(task, "bilinear", 0)]), tmp_path / "results.jsonl")
        costs = next(one for one in page.parts[0].sections if one.title.startswith("Accuracy"))
        assert len(costs.charts) == charts
        assert words in costs.sentences[-1]
        published = page.sections[-1].tables[0]
        assert {"semantic": "41.68", "depth": "0.116"}[task] in {row[1] for row in published.rows}


def test_runs_that_differ_in_settings_alone_are_told_apart(families):
    runs = [made_run("semantic", "bilinear", 0) for _ in range(2)]
    runs[1]["run"] = "0" * 12
    runs[1]["settings"] = {**runs[1]["settings"], "steps": 900}
    one, two = families(runs)
    assert (one.title, two.title) == (
        "Semantic segmentation: scenes 64x64, steps 300",
        "Semantic segmentation: scenes 64x64, steps 900",
    )
    assert one.anchor != two.anchor


def test_options_that_only_some_records_name_tell_them_apart(families):
    runs = [made_run("semantic", "bilinear", 0) for _ in range(2)]
    runs[1] |= {"run": "0" * 12, "settings": {**runs[1]["settings"], "augment": True}}
    assert [one.title for one in families(runs)] == [
        f"Semantic segmentation: scenes 64x64, augment {value}" for value in (False, True)
    ]


def test_pictures_beyond_the_budget_are_named(tmp_path, monkeypatch):
    noise = np.random.default_rng(0).integers(0, 255, (300, 400, 3), dtype=np.uint8)
    figures = [tmp_path / "predictions.png", tmp_path / "sampling-skip.png"]
    for figure in figures:
        Image.fromarray(noise).save(figure)
    (first, second), _ = Embedder().embed(figures, "t")
    monkeypatch.setattr(pictures, "BUDGET", int(1.5 * len(first.webp)))
    (shown,), (sentence,) = Embedder().embed(figures, "semantic")
    assert shown.webp == first.webp
    assert base64.b64decode(shown.webp)[8:12] == b"WEBP"
    assert (shown.width, shown.height, shown.alt) == (400, 300, "semantic: predictions")
    assert sentence == f"{second.caption} In sampling-skip.png, beside this page."


@pytest.mark.slow
def test_a_long_comparison_stays_below_two_megabytes(tmp_path):
    runs = list(evidence_runs())
    assert len(runs) > 400
    *_, page = write(tmp_path / "out", runs)
    text = page.read_text(encoding="utf-8")
    assert len(text.encode()) + BUDGET < 2e6
    assert text.count("<svg") > 5 * len(TASKS)


@pytest.mark.parametrize("undefined", ["ap", "ap50"])
@pytest.mark.parametrize("upsamplers", [("carafe",), ("bilinear", "carafe", "dysample")])
def test_a_main_measure_without_a_value_costs_no_other(tmp_path, undefined, upsamplers):
    """As the AP of a validation set without any object: null in the file."""
    names = ("bilinear", "carafe", "dysample")
    runs = [made_run("detection", name, seed, None) for name in names for seed in range(3)]
    for run in runs:
        if run["upsampler"] in upsamplers:
            run["metrics"][undefined] = None
            run["parts"][undefined] = [None] * 10
    console = Console(file=io.StringIO(), width=120)
    *_, page = write_report(write_runs(tmp_path / "results.jsonl", runs), tmp_path, console)
    text, defined = page.with_suffix(".md").read_text(), {"ap": "ap50", "ap50": "ap"}[undefined]
    assert f"{defined} of bilinear is .".replace("_", " ") in text
    assert ("is undefined" in text) is ("bilinear" in upsamplers)
    assert not re.search(r"\bnan\b", text + console.file.getvalue())


def test_losses_that_no_logarithm_takes(tmp_path):
    """As a negative log-likelihood may give: no curves, and everything else."""
    runs = [made_run("depth", name, 0) for name in ("bilinear", "carafe")]
    for run in runs:
        run["curve"]["loss"] = [-loss for loss in run["curve"]["loss"]]
    (page,) = [path for path in write(tmp_path, runs) if path.suffix == ".html"]
    assert "carafe" in page.read_text()


NASTY = "<b>|`*_[x] a_b"
TABLE = Table(
    "Numbers", ("name", "a"), (("x", Judged("1", Verdict.BETTER)), "guided", (NASTY, "2"))
)
PAGE = Page(
    "Title",
    f"One {NASTY}.",
    Table("Summary", ("task", "carafe"), (("link", "-"),), upright=True, links={"link": "part-1"}),
    (
        Part(
            NASTY,
            "part-1",
            (Told(NASTY, f"dysample compare '{NASTY}'"), Told("No more.")),
            (Chart("<svg></svg>", NASTY, NASTY),),
            TABLE,
            ("first", NASTY),
            (
                Section(
                    NASTY, (NASTY, "last"), (), (TABLE,), (Picture("AA==", 1, 1, NASTY, NASTY),)
                ),
            ),
        ),
        Part("Second", "part-2", (), (), TABLE, (), ()),
    ),
    (Section("Alone", ("One sentence.",)),),
)


class Balance(HTMLParser):
    """Every element that is opened is closed, in order."""

    VOID = ("meta", "link", "br", "img")

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.text = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def test_html_is_balanced_and_escaped():
    text = render("report.html.j2", PAGE)
    parser = Balance()
    parser.feed(text)
    assert parser.open == []
    names = [tag for tag, _ in parser.tags]
    assert names.count("table") == 4
    assert "b" not in names
    assert "script" not in names
    assert "".join(parser.text).count(NASTY) == 12
    assert ("td", {"class": "better"}) in parser.tags
    assert ("a", {"href": "#part-1"}) in parser.tags
    assert ("th", {"class": "part", "scope": "rowgroup", "colspan": "2"}) in parser.tags
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    assert ("meta", {"http-equiv": "Content-Security-Policy", "content": policy}) in parser.tags
    folds = [attrs for tag, attrs in parser.tags if tag == "details"]
    # The first family is open; its section, the second family and the last section are not.
    assert folds == [{"class": "family", "open": None}, {}, {"class": "family"}, {}]
    assert "http" not in text.replace("http-equiv", "")


def test_markdown_keeps_the_tables_and_escapes():
    text = render("report.md.j2", PAGE)
    lines = text.splitlines()
    escaped = r"\<b\>\|\`\*\_\[x\] a_b"
    assert lines[0] == "# Title"
    assert f"## {escaped}" in lines
    assert f"- {escaped}" in lines
    table = lines.index("| name | a |")
    assert lines[table - 2 : table + 5] == [
        "Numbers:", "", "| name | a |", "| --- | ---: |", "| x | 1 |", "| guided |  |",
        f"| {escaped} | 2 |",
    ]  # fmt: skip
    command = lines.index(f"dysample compare '{NASTY}'")
    assert lines[command - 3 : command + 2] == [MORE, "", "```", lines[command], "```"]
    assert "\n\n\n" not in text
    assert text.endswith("- One sentence.\n")
