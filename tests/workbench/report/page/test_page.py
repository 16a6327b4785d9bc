"""The page as a whole: what is on it, the same bytes every time, small enough to send."""

import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from dysample.workbench.record import read_records
from dysample.workbench.report.page import pictures
from dysample.workbench.report.page.blocks import Heading, Paragraph, Picture
from dysample.workbench.report.page.page import page_blocks, write_page
from dysample.workbench.report.page.pictures import BUDGET, Embedder
from dysample.workbench.report.report import write_report
from dysample.workbench.report.summary import summarise
from support.made_results import TASKS, evidence_runs, made_run, write_runs


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
    blocks = list(page_blocks(families(runs), tmp_path / "results.jsonl"))
    heads = [block.text for block in blocks if isinstance(block, Heading) and block.level == 2]
    assert heads == [
        "In short",
        "How to read the differences",
        "Semantic segmentation: scenes 64x64",
        "Panoptic segmentation: scenes 96x96",
        "Depth estimation: scenes 64x64",
        "juggling: scenes 64x64",
        "How this was made",
        "Published scores",
    ]


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


def test_pictures_beyond_the_budget_are_named(tmp_path, monkeypatch):
    noise = np.random.default_rng(0).integers(0, 255, (300, 400, 3), dtype=np.uint8)
    figures = [tmp_path / "predictions.png", tmp_path / "sampling-skip.png"]
    for figure in figures:
        Image.fromarray(noise).save(figure)
    (size, *_) = [len(one.webp) for one in Embedder().blocks(figures, "t")]
    monkeypatch.setattr(pictures, "BUDGET", int(1.5 * size))
    first, second = Embedder().blocks(figures, "semantic")
    assert isinstance(first, Picture)
    assert first.webp[8:12] == b"WEBP"
    assert (first.width, first.height) == (400, 300)
    assert isinstance(second, Paragraph)
    assert second.text.endswith("In sampling-skip.png, beside this page.")


@pytest.mark.slow
def test_a_long_comparison_stays_below_two_megabytes(tmp_path):
    runs = list(evidence_runs())
    assert len(runs) > 400
    *_, page = write(tmp_path / "out", runs)
    text = page.read_text(encoding="utf-8")
    assert len(text.encode()) + BUDGET * 4 / 3 < 2e6
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
