"""Sentences say what both intervals bear out, and no more."""

import pytest

from dysample.workbench.report.page.pictures import Embedder
from dysample.workbench.report.page.sections import family_blocks
from dysample.workbench.report.page.statements import reading, seeds_sentence, statements
from support.made_results import CLASSES, made_run

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
        return " ".join(statements(family.members[0], metric)), family

    return say


def test_better_worse_and_not_told_apart(said):
    text, _ = said(
        carafe={0: 0.031, 1: 0.030, 2: 0.029},
        nearest={0: -0.021, 1: -0.020, 2: -0.019},
        deconv={0: 0.01, 1: 0.02, 2: 0.06},
        fade={0: 0.1, 1: 0.101, 2: 0.102},
    )
    assert text == (
        "mIoU of bilinear is .500. Against bilinear, better: carafe; worse: nearest; not told "
        "apart: deconv. Of the guided, better: fade."
    )


def test_where_lower_is_better_the_lower_one_is(said):
    text, _ = said("depth", "abs_rel", carafe={0: -0.031, 1: -0.030, 2: -0.029})
    assert "AbsRel (lower is better) of bilinear is .500. Against bilinear, better: carafe." in text


def test_one_or_two_pairs_allow_no_statement(said):
    text, _ = said(carafe={0: 0.5, 1: 0.5}, bilinear={0: 0.0, 1: 0.0, 2: 0.0})
    assert "fewer than 3 pairs of runs, which allow no statement: carafe" in text
    assert "better" not in text
    text, family = said(carafe={0: 0.5})
    assert "fewer than 3 pairs of runs, which allow no statement: carafe" in text
    assert "A single run has no spread" in seeds_sentence(family)


def test_without_bilinear_or_its_seeds(said):
    text, _ = said(baseline=False, carafe={0: 0.5})
    assert text.startswith("No bilinear run with these settings")
    text, _ = said(baseline=False, bilinear={0: 0.0}, carafe={1: 0.5})
    assert text.endswith("No seed in common with bilinear, so no difference: carafe.")


@pytest.mark.parametrize(("seeds", "told"), [(2, "an illustration"), (4, "few"), (5, None)])
def test_few_seeds_are_called_few(families, seeds, told):
    names = ("bilinear", "carafe")
    (family,) = families([made_run("semantic", n, seed) for n in names for seed in range(seeds)])
    text = seeds_sentence(family)
    assert text.startswith(f"{seeds} seeds an upsampler.")
    assert told in text if told else text == f"{seeds} seeds an upsampler."


def test_how_many_differences_would_be_called_one_by_chance(families):
    names = ("bilinear", "carafe", "fade")
    found = families([made_run("semantic", n, seed) for n in names for seed in range(3)])
    text = " ".join(reading(found))
    assert "The page holds 4 such differences." in text  # two upsamplers, two measures
    assert "tenths of the validation images, the same tenths for every seed" in text
    assert "Guided upsamplers" in text
    assert "Only the plain head is in the file." in text


def test_files_without_parts_say_that_images_are_not_covered(families):
    runs = [made_run("semantic", n, seed) for n in ("bilinear", "carafe") for seed in range(3)]
    for run in runs:
        run["parts"] = {}
    assert "how much depends on the choice of validation images is not in it" in " ".join(
        reading(families(runs))
    )


def test_classes_that_never_occur_stand_among_the_findings(families):
    runs = [made_run("semantic", name, seed) for name in ("bilinear", "carafe") for seed in (0, 1)]
    for run in runs:
        run["metrics"]["class_iou"][CLASSES[-1]] = None
    page = "\n".join(str(block) for block in family_blocks(families(runs)[0], Embedder()))
    assert f"1 of {len(CLASSES)} classes never occur in the validation labels" in page
    assert f"of the others alone: {CLASSES[-1]}." in page
    runs[0]["metrics"]["class_iou"][CLASSES[-1]] = 0.5
    page = "\n".join(str(block) for block in family_blocks(families(runs)[0], Embedder()))
    assert "never occur" not in page
