"""Sentences say what both intervals bear out, and no more."""

import csv
import html
import io

import pytest
from rich.console import Console

from dysample.workbench.report.intervals import Estimate
from dysample.workbench.report.page.pictures import Embedder
from dysample.workbench.report.page.reading import reading
from dysample.workbench.report.page.sections import make_part
from dysample.workbench.report.report import write_report
from dysample.workbench.report.verdict import (
    ENOUGH,
    RULE,
    Verdict,
    seeds_sentence,
    statements,
    verdict,
)
from support.made_results import CLASSES, made_run, write_runs

BASE = {0: 0.50, 1: 0.51, 2: 0.49}


@pytest.fixture
def said(families):
    """What is said on mIoU for upsamplers with given differences to bilinear by seed."""

    def say(task="semantic", metric="miou", baseline=True, **differences):
        runs = []
        if baseline:
            differences = {"bilinear": dict.fromkeys(BASE, 0.0), **differences}
        for name, by_seed in differences.items():
            for seed, value in by_seed.items():
                run = made_run(task, name, seed)
                run["metrics"][metric] = BASE[seed] + value
                run["parts"] = {}
                runs.append(run)
        (family,) = families(runs)
        (member,) = family.members
        told = statements(member.group, member.rows, member.to_baseline, metric)
        return " ".join(told).replace("\u00a0", " "), family

    return say


def test_better_worse_and_not_significant(said):
    text, _ = said(
        carafe={0: 0.031, 1: 0.030, 2: 0.029},
        nearest={0: -0.021, 1: -0.020, 2: -0.019},
        deconv={0: 0.01, 1: 0.02, 2: 0.06},
        fade={0: 0.1, 1: 0.101, 2: 0.102},
    )
    assert text == (
        "mIoU of bilinear is .500. Against bilinear, significantly better: carafe +.030; "
        "significantly worse: nearest -.020; not significant: deconv +.030. "
        "Of the guided, significantly better: fade +.101."
    )


def test_where_lower_is_better_the_lower_one_is(said):
    text, _ = said("depth", "abs_rel", carafe={0: -0.031, 1: -0.030, 2: -0.029})
    assert (
        "AbsRel (lower is better) of bilinear is .500. "
        "Against bilinear, significantly better: carafe -.030."
    ) in text


def test_one_or_two_pairs_allow_no_conclusion(said):
    text, _ = said(carafe={0: 0.5, 1: 0.5}, bilinear={0: 0.0, 1: 0.0, 2: 0.0})
    assert text.endswith(
        "Against bilinear, no conclusion from fewer than 3 paired seeds: carafe +.500."
    )
    text, _ = said(carafe={0: 0.5})
    assert "no conclusion from fewer than 3 paired seeds: carafe +.500." in text
    assert "better" not in text


def test_without_bilinear_or_its_seeds(said):
    text, _ = said(baseline=False, carafe={0: 0.5})
    assert text.startswith("No bilinear run with these settings")
    text, _ = said(baseline=False, bilinear={0: 0.0}, carafe={1: 0.5})
    assert text.endswith("No seed in common with bilinear, so no difference: carafe.")


@pytest.mark.parametrize(
    ("seeds", "told"),
    [
        ([1], "1 seed per upsampler. Fewer than 3 paired seeds allow no conclusion."),
        ([5, 2], "2 to 5 seeds per upsampler. Fewer than 3 paired seeds allow no conclusion."),
        ([4, 3], "3 to 4 seeds per upsampler. With fewer than 5, a difference"),
        ([5, 3], "3 to 5 seeds per upsampler. With fewer than 5, a difference"),
        ([5, 5], "5 seeds per upsampler."),
    ],
)
def test_few_seeds_are_called_few(seeds, told):
    text = seeds_sentence(seeds)
    assert text.startswith(told)
    assert max(seeds) < 5 or min(seeds) < 5 or text == told


def test_the_rule():
    """Both intervals exclude zero, over at least three paired seeds."""
    three = dict.fromkeys(range(ENOUGH), 0.1)
    above, holds = (0.01, 0.2), (-0.01, 0.2)
    below = (-0.2, -0.01)
    cases = (
        (three, above, above, Verdict.BETTER),
        (three, below, below, Verdict.WORSE),
        (three, holds, above, Verdict.OPEN),
        (three, above, holds, Verdict.OPEN),
        (three, above, below, Verdict.OPEN),
        (three, (0.0, 0.2), above, Verdict.OPEN),
        ({0: 0.1, 1: 0.1}, above, above, Verdict.FEW),
        ({0: 0.1}, None, None, Verdict.FEW),
    )
    lower = {Verdict.BETTER: Verdict.WORSE, Verdict.WORSE: Verdict.BETTER}
    for by_seed, bootstrap, t, expected in cases:
        one = Estimate(by_seed, True, bootstrap, t)
        assert verdict(one) is expected
        assert verdict(one, higher_is_better=False) is lower.get(expected, expected)


def test_terminal_page_markdown_and_csv_say_the_same(tmp_path):
    """Of three seeds, and of two of which every difference is the same and large."""
    for seeds, words in ((3, "significantly better"), (2, "no conclusion from fewer than 3")):
        runs = []
        for name, gain in (("bilinear", 0.0), ("carafe", 0.3)):
            for seed in range(seeds):
                run = made_run("semantic", name, seed)
                run["metrics"]["miou"] = 0.5 + gain + 0.001 * seed
                run["parts"] = {}
                runs.append(run)
        console = Console(file=io.StringIO(), width=500)
        folder = tmp_path / str(seeds)
        folder.mkdir()
        write_report(write_runs(folder / "results.jsonl", runs), folder, console)
        texts = [console.file.getvalue()]
        texts += [(folder / f"report.{kind}").read_text() for kind in ("html", "md")]
        command = "dysample compare --upsamplers bilinear,carafe --seeds 3"
        for text in texts:
            text = html.unescape(text).replace("\u00a0", " ").replace(" \\\n  ", " ")
            assert f"Against bilinear, {words}" in text
            assert "carafe +.300" in text
            assert RULE in text
            assert (command in text) is (seeds == 2)
            assert ("significantly" in text) is (seeds == 3)
        lines = csv.DictReader((folder / "report.csv").read_text().splitlines())
        (found,) = [
            one["verdict"]
            for one in lines
            if (one["upsampler"], one["quantity"]) == ("carafe", "miou")
        ]
        assert found == {3: "better", 2: "no conclusion"}[seeds]


def test_how_many_differences_would_be_called_one_by_chance(families):
    names = ("bilinear", "carafe", "fade")
    found = families([made_run("semantic", n, seed) for n in names for seed in range(3)])
    text = " ".join(reading(found))
    assert "The page tests 4 differences." in text  # two upsamplers, two measures
    assert "tenths of the validation images, the same tenths for every seed" in text
    assert "Guided upsamplers" in text
    assert "Only the plain head is in the file." in text


def test_files_without_parts_say_that_images_are_not_covered(families):
    runs = [made_run("semantic", n, seed) for n in ("bilinear", "carafe") for seed in range(3)]
    for run in runs:
        run["parts"] = {}
    assert "The choice of validation images is left out" in " ".join(reading(families(runs)))


def test_classes_that_never_occur_stand_among_the_findings(families):
    runs = [made_run("semantic", name, seed) for name in ("bilinear", "carafe") for seed in (0, 1)]
    for run in runs:
        run["metrics"]["class_iou"][CLASSES[-1]] = None
    (page,) = (str(make_part(one, Embedder()).notes) for one in families(runs))
    assert f"1 of {len(CLASSES)} classes never occur in the validation labels" in page
    assert f"of the others alone: {CLASSES[-1]}." in page
    runs[0]["metrics"]["class_iou"][CLASSES[-1]] = 0.5
    (page,) = (str(make_part(one, Embedder()).notes) for one in families(runs))
    assert "never occur" not in page
