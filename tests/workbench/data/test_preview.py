from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dysample.workbench.data.catalog import open_splits
from dysample.workbench.data.preview import _spread, draw_preview
from support.layouts import LAYOUTS
from support.refusals import refused


@pytest.mark.parametrize("name", ["voc", "ade20k", "coco_instance", "coco_panoptic", "nyu"])
def test_shows_every_split(tmp_path: Path, name: str) -> None:
    splits = open_splits(f"{name}:{LAYOUTS[name](tmp_path)}")
    path = tmp_path / "new" / "sheet.png"
    draw_preview(splits, path)
    with Image.open(path) as image:
        assert image.height == pytest.approx(4 * 340, abs=2)
        assert len(np.unique(np.asarray(image.convert("L")))) > 50
    assert [file.name for file in path.parent.iterdir()] == ["sheet.png"]


def test_samples_are_spread_over_the_split() -> None:
    assert _spread(9) == [0, 2, 4, 6]
    assert _spread(3) == [0, 1, 2]
    assert _spread(1) == [0]


def test_other_endings(tmp_path: Path) -> None:
    with refused(r"preview .*sheet.jpg must end in .png"):
        draw_preview([], tmp_path / "sheet.jpg")


def test_nothing_to_show(tmp_path: Path) -> None:
    splits = open_splits(f"voc:{LAYOUTS['voc'](tmp_path)}")
    nothing = [split.without(set(range(len(split)))) for split in splits]
    with refused(r"sheet.png must show samples, but none can be used"):
        draw_preview(nothing, tmp_path / "sheet.png")


@pytest.mark.parametrize("name", ["folders", "coco_instance"])
def test_names_are_text(tmp_path: Path, name: str) -> None:
    """A dollar begins no formula, an underscore hides nothing."""
    folder = LAYOUTS[name](tmp_path)
    if name == "folders":
        (folder / "classes.txt").write_text("$x^$\n_hidden\n")
        (folder / "images" / "val" / "in jpg.jpg").rename(folder / "images" / "val" / "$^$.jpg")
        (folder / "masks" / "val" / "in jpg.png").rename(folder / "masks" / "val" / "$^$.png")
    else:
        path = folder / "annotations" / "instances_val2017.json"
        path.write_text(path.read_text().replace('"cat"', '"$x^$"'))
    splits = open_splits(f"{name}:{folder}")
    draw_preview(splits, tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as image:
        assert len(np.unique(np.asarray(image.convert("L")))) > 50
