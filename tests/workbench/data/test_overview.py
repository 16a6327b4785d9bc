import io
from pathlib import Path

import pytest
from rich.console import Console

from dysample.workbench.data.catalog import open_splits
from dysample.workbench.data.overview import print_overview
from dysample.workbench.data.scan import scan
from support.layouts import LAYOUTS


def overview(folder: Path, name: str) -> list[list[str]]:
    """Words of each printed line, without the rules of the tables."""
    console = Console(file=io.StringIO(), width=200)
    splits = open_splits(f"{name}:{LAYOUTS[name](folder) if not any(folder.iterdir()) else folder}")
    scanned = [(split, scan(split, Console(file=io.StringIO()))) for split in splits]
    print_overview(scanned, console)
    lines = console.file.getvalue().splitlines()
    return [line.replace("│", " ").replace("┃", " ").split() for line in lines]


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        (
            "voc",
            [
                "voc (semantic)",
                "split images width x height labelled problems",
                "train 2 8x6 66.67 % 0",
                "val 1 8x6 66.67 % 0",
                "class train pixels val pixels",
                "15 person 50.00 % 50.00 %",
            ],
        ),
        (
            "coco_instance",
            [
                "split images width x height objects problems",
                "val 2 8x6 2 0",
                "class train objects share val objects share",
                "1 cat 1 50.00 % 1 50.00 %",
            ],
        ),
        (
            "coco_panoptic",
            [
                "split images width x height labelled segments problems",
                "val 1 8x6 66.67 % 3 0",
                "class train pixels train segments share val pixels val segments share",
                "2 sky stuff 50.00 % 1 33.33 % 50.00 % 1 33.33 %",
            ],
        ),
        ("kitti", ["split images width x height known depth in m problems",
                   "train 2 8x6 66.67 % 1.00-78.12 0"]),
    ],
)  # fmt: skip
def test_tables(tmp_path: Path, name: str, rows: list[str]) -> None:
    printed = overview(tmp_path, name)
    for row in rows:
        assert row.split() in printed


def test_classes_that_do_not_occur(tmp_path: Path) -> None:
    printed = [" ".join(words) for words in overview(tmp_path, "voc")]
    for split in ("train", "val"):
        line = f"voc {split}: 19 of 21 classes never occur: aeroplane, bicycle, bird, ..."
        assert line in printed


def test_problems_are_listed(tmp_path: Path) -> None:
    for i in range(14):
        path = LAYOUTS["camvid"](tmp_path) / "train" / f"{i}.png"
        path.write_text("no image")
    printed = [" ".join(words) for words in overview(tmp_path, "camvid")]
    assert "train: 14 of 15 samples cannot be used" in printed
    assert sum("cannot be read" in line for line in printed) == 10
    assert "- and 4 more" in printed
    assert "train 15 8x6 66.67 % 14" in printed


@pytest.mark.parametrize("name", ["[bold]x[/nope]", "[/]", "[red]", ":smile:", "\\[a]"])
def test_names_are_text(tmp_path: Path, name: str) -> None:
    """Not markup, in which a tag that closes nothing is an error."""
    folder = LAYOUTS["folders"](tmp_path)
    (folder / "classes.txt").write_text(f"{name}\n{name} more\n{name} absent\n")
    printed = [" ".join(words) for words in overview(folder, "folders")]
    assert f"0 {name} 50.00 % 50.00 %" in printed
    assert f"folders val: 1 of 3 classes never occur: {name} absent" in printed


def test_what_was_passed_over(tmp_path: Path) -> None:
    folder = LAYOUTS["folders"](tmp_path)
    (folder / "images" / "val" / "a.gif").touch()
    printed = [" ".join(words) for words in overview(folder, "folders")]
    assert f"skipped in {folder / 'images' / 'val'}, no images: 1 (a.gif)" in printed
