"""The search for learning rates on the terminal, and as a picture."""

import io
import re
import shlex

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from dysample.workbench.record import read_records
from dysample.workbench.report.rates import CHOSEN, scales_tried, scores_text
from dysample.workbench.report.report import write_report
from dysample.workbench.report.summary import summarise
from support.made_results import made_run, tuned_runs, write_runs

TRIED = {
    "bilinear": {1.0: 0.60, 0.3: 0.59, 0.1: 0.50, 0.03: 0.40},
    "dysample": {1.0: 0.10, 0.3: 0.61, 0.1: 0.65, 0.03: 0.63},
    "fade": {0.3: 0.30, 0.1: 0.62, 0.03: 0.63},
}
BEST = {"bilinear": 1.0, "dysample": 0.1, "fade": 0.03}


@pytest.fixture
def report(tmp_path):
    """The lines on the terminal, and the names of the files."""

    def build(runs, width=80):
        path = write_runs(tmp_path / "results.jsonl", runs)
        console = Console(file=io.StringIO(), width=width)
        written = write_report(path, tmp_path / "out", console)
        return console.file.getvalue().splitlines(), [one.name for one in written]

    return build


def test_the_terminal_shows_what_was_tried_and_chosen(report):
    lines, written = report(tuned_runs("semantic", TRIED, BEST, 3))
    place = lines.index("learning rate x    1  0.3  0.1 0.03 chosen")
    assert [line.split() for line in lines[place + 2 : place + 6]] == [
        ["bilinear", ".600", ".590", ".500", ".400", "1"],
        ["dysample", ".100", ".610", ".650", ".630", "0.1"],
        ["guided:"],
        ["fade", "-", ".300", ".620", ".630", "0.03"],
    ]
    text = " ".join(" ".join(lines[place + 6 :]).split())
    assert text.startswith(
        "- Trials: mIoU by the scale of the learning rate, seed 0. They are evaluated on training "
        "images that are held out for it, and count in no other number; intervals do not cover the "
        "choice. - The scale multiplies the learning rate of the upsamplers, or of the whole model "
        "where these have no parameters: bilinear. - No result at some scale, which counts as the "
        "worst (a training that diverges leaves none): fade. - At the largest scale tried, beyond "
        "which a better one may lie: bilinear. - At the smallest scale tried, beyond which a "
        "better one may lie: fade. - Only the plain head"
    )
    assert max(len(line) for line in lines if not line.startswith("wrote ")) <= 80
    assert written == ["rates.png", "report.csv", "report.md", "report.html"]


def test_where_lower_is_better_it_is_said(report):
    tried = {"bilinear": {1.0: 0.12, 0.1: 0.2}, "dysample": {1.0: 0.5, 0.1: 0.11}}
    runs = tuned_runs("depth", tried, {"bilinear": 1.0, "dysample": 0.1})
    text = " ".join(" ".join(report(runs)[0]).split())
    assert "Trials: AbsRel (lower is better) by the scale" in text
    assert "dysample .500 .110 0.1" in text


def test_runs_without_a_search_say_nothing_of_rates(report):
    lines, written = report([made_run("semantic", name, 0) for name in ("bilinear", "carafe")])
    assert not any("learning rate x" in line or "scale" in line for line in lines)
    assert written == ["report.csv", "report.md", "report.html"]


def test_scales_that_were_given_are_shown_without_trials(report):
    lines, written = report(tuned_runs("semantic", {}, BEST))
    place = lines.index("learning rate x chosen")
    assert [line.split() for line in lines[place + 2 : place + 4]] == [
        ["bilinear", "1"],
        ["dysample", "0.1"],
    ]
    text = " ".join(" ".join(lines).split())
    assert "The scales of the learning rate were given; no trial of others is in the file." in text
    assert "beyond which" not in text
    assert "rates.png" not in written


def test_a_file_of_trials_alone_shows_them_and_makes_no_page(report, tmp_path):
    lines, written = report(tuned_runs("semantic", TRIED, {}))
    assert lines[0] == "semantic, scenes 64x64, tuned, plain head"
    assert lines[1].startswith("2000 train frames, steps 300")
    assert "dysample        .100 .610 .650 .630      -" in lines
    text = " ".join(" ".join(lines).split())
    assert text.endswith(
        "No run at a chosen scale is in the file: bilinear, dysample and fade. The command that "
        "made the trials goes on with them."
    )
    assert "diverges" not in text
    assert "beyond" not in text
    assert written == []
    assert not (tmp_path / "out").exists()


def test_an_upsampler_that_waits_for_its_runs_is_named(report):
    lines, _ = report(tuned_runs("semantic", TRIED, {"bilinear": 1.0}))
    text = " ".join(" ".join(lines).split())
    assert "No run at a chosen scale is in the file: dysample and fade. The command" in text
    assert "diverges" not in text  # fade's trial may be on its way


def test_undefined_results_are_dashes_and_the_choice_is_marked(tmp_path):
    tried = {"dysample": {1.0: None, 0.3: 0.2, 0.1: 0.25}}
    path = write_runs(tmp_path / "a", tuned_runs("detection", tried, {"dysample": 0.1}, 1, None))
    (group,) = summarise(read_records(path))
    (search,) = group.searches
    scales = scales_tried(group.searches)
    assert scales == [1.0, 0.3, 0.1]
    assert scores_text(search, "ap", scales) == ["-", ".200", ".250"]
    assert scores_text(search, "ap", [*scales, 0.03], CHOSEN) == [
        "-", ".200", f"{CHOSEN} .250", "-"
    ]  # fmt: skip


@pytest.mark.slow
def test_a_real_comparison_with_a_search(tmp_path, dysample, monkeypatch):
    monkeypatch.setenv("DYSAMPLE_CACHE", str(tmp_path / "cache"))
    options = ["--steps=4", "--batch-size=2", "--size=32", "--width=8", "--train-frames=8"]
    options += ["--val-frames=4", "--workers=1", "--upsamplers=bilinear,dysample", "--seeds=1"]
    output = tmp_path / "out"
    ended = dysample("compare", "--tune", *options, "--output", output)
    assert ended.code == 0, ended.stderr
    records = read_records(output / "results.jsonl")
    (group,) = summarise(records)
    assert len(records) == 2 * 4 + 2
    assert [len(row.records) for row in group.rows] == [1, 1]
    assert group.data["train"] == 8
    for search in group.searches:
        scores = {scale: one.mean for scale, one in search.scores("miou").items()}
        assert list(scores) == [1.0, 0.3, 0.1, 0.03]
        assert search.chosen == (max(scores, key=scores.get),)  # of equal ones the largest
        assert f"semantic {search.name}: rate x {search.chosen[0]:g} (mIoU" in ended.stdout
    assert "semantic, scenes 32x32, tuned, plain head" in ended.stdout
    assert "learning rate x    1  0.3  0.1 0.03 chosen" in ended.stdout
    assert (output / "rates.png").stat().st_size > 1000

    # The command on the page finds its trials and runs there.
    page = (output / "report.md").read_text().replace(" \\\n  ", " ")
    (line,) = re.findall("^dysample compare .*", page, re.MULTILINE)
    assert " --seeds 3 --tune --output DIR " in line
    line = line.replace(" --seeds 3 --tune --output DIR ", " --seeds 1 --tune ")
    again = dysample(*shlex.split(line)[1:], "--output", output)
    assert "8 of 8 runs are in" in again.stdout
    assert "2 of 2 runs are in" in again.stdout


def test_the_picture_is_written_for_each_group(report, tmp_path):
    runs = [
        run for head in ("plain", "skip") for run in tuned_runs("semantic", TRIED, BEST, 1, head)
    ]
    _, written = report(runs)
    assert written[:2] == ["rates.png", "rates-skip.png"]
    with Image.open(tmp_path / "out" / "rates.png") as picture:
        pixels = np.asarray(picture.convert("RGB"))
    assert pixels.shape[1] == 860
    assert (pixels[0, 0] == 254).all()  # on paper, not transparent
    for colour in ((0x2A, 0x6A, 0xA6), (0xB9, 0x54, 0x0D)):  # unguided, guided
        assert (pixels == colour).all(axis=2).sum() > 200
