import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from dysample.workbench.data.catalog import open_data
from dysample.workbench.data.dataset import DataSet, Item
from dysample.workbench.data.scan import check, count, no_counts, scan
from support import layouts
from support.refusals import refused


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=200)


@pytest.fixture
def broken(tmp_path: Path) -> DataSet:
    """Ten images: number 3 cut short, the annotation of number 5 gone, number 6 of a wrong size."""
    for i in range(10):
        layouts.write_image(tmp_path / "train" / f"{i}.png")
        layouts.write_png(tmp_path / "trainannot" / f"{i}.png", layouts.rows(0, 1))
    path = tmp_path / "train" / "3.png"
    path.write_bytes(path.read_bytes()[:-30])
    (tmp_path / "trainannot" / "5.png").unlink()
    layouts.write_image(tmp_path / "train" / "6.png", 12, 16)
    return open_data(f"camvid:{tmp_path}", "train")


def test_every_problem_by_its_file(broken: DataSet, console: Console) -> None:
    found = scan(broken, console)
    assert sorted(found.problems) == [3, 5, 6]
    assert "train/3.png cannot be read" in found.problems[3]
    assert "trainannot/5.png does not exist" in found.problems[5]
    assert "trainannot/6.png must be of its image's size 16x12" in found.problems[6]
    assert found.sizes == {(6, 8): 7}
    assert found.counts.pixels.tolist()[:3] == [7 * 24, 7 * 24, 0]


def test_raises_before_training(broken: DataSet, console: Console) -> None:
    with refused(
        r"^3 of 10 samples of camvid train cannot be used; the first: image .*train/3.png"
    ):
        check(broken, console)


def test_skips_and_says_how_many(broken: DataSet, console: Console) -> None:
    good = check(broken, console, skip_bad=True)
    assert [int(item.image.stem) for item in good.items] == [0, 1, 2, 4, 7, 8, 9]
    assert len(list(good)) == 7
    printed = console.file.getvalue()
    assert "3 of 10 samples of camvid train cannot be used and are left out" in printed


def test_whole_data_is_left_as_it_is(tmp_path: Path, console: Console) -> None:
    data = open_data(f"pennfudan:{layouts.pennfudan(tmp_path)}", "train")
    assert check(data, console) is data
    assert console.file.getvalue() == ""


def test_nothing_left(tmp_path: Path, console: Console) -> None:
    data = open_data(f"camvid:{layouts.camvid(tmp_path)}", "train")
    data.items[0].image.write_bytes(b"")
    with refused(r"^1 of 1 samples of camvid train cannot be used"):
        check(data, console, skip_bad=True)


def no_objects(folder: Path) -> str:
    layouts.coco_instances(folder)
    write_annotations(folder, [])
    return "coco_detection"


def crowds_alone(folder: Path) -> str:
    layouts.coco_instances(folder)
    write_annotations(folder, [layouts.coco_objects()[1]])
    return "coco_instance"


def write_annotations(folder: Path, objects: list[dict[str, Any]]) -> None:
    images = [{"id": 7, "file_name": "000000000007.jpg"}]
    content = {"images": images, "categories": layouts.CATEGORIES[1:], "annotations": objects}
    layouts.write_json(folder / "annotations" / "instances_train2017.json", content)


def void(folder: Path) -> str:
    layouts.camvid(folder)
    layouts.write_png(folder / "trainannot" / "a.png", layouts.rows(255))
    return "camvid"


def unknown_depth(folder: Path) -> str:
    layouts.nyu(folder)
    path = folder / "sync" / "kitchen_0001" / "sync_depth_00045.png"
    layouts.write_png(path, layouts.rows(0), np.uint16)
    return "nyu"


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (no_objects, "objects"),
        (crowds_alone, "objects"),
        (void, "labelled pixels"),
        (unknown_depth, "depths that are known"),
    ],
)
def test_nothing_to_learn_from(
    tmp_path: Path, console: Console, make: Callable[[Path], str], what: str
) -> None:
    name = make(tmp_path)
    with refused(rf"^{name} train must hold {what}, but no image has one$"):
        check(open_data(f"{name}:{tmp_path}", "train"), console)


def test_a_class_that_never_occurs(tmp_path: Path, console: Console) -> None:
    """Masks of 0 and 255 among two classes teach the background alone."""
    folder = layouts.binary(tmp_path)
    check(open_data(f"folders:{folder}", "val"), console)
    assert console.file.getvalue() == (
        "folders val: 1 of 2 classes never occur: crack; where 255 is a class and not void,"
        " `binary:PATH` reads it\n"
    )
    console.file = io.StringIO()
    check(open_data(f"binary:{folder}", "val"), console)
    assert console.file.getvalue() == ""
    layouts.write_png(folder / "masks" / "val" / "a.png", layouts.rows(0))
    check(open_data(f"folders:{folder}", "val"), console)
    assert console.file.getvalue() == "folders val: 1 of 2 classes never occur: crack\n"


@pytest.mark.parametrize(
    ("name", "absent"),
    [
        ("camvid", "camvid train: 9 of 11 classes never occur: building, pole, road, ..."),
        ("coco_panoptic", None),
        ("coco_detection", None),
        ("kitti", None),
    ],
)
def test_classes_of_every_kind(
    tmp_path: Path, console: Console, name: str, absent: str | None
) -> None:
    check(open_data(f"{name}:{layouts.LAYOUTS[name](tmp_path)}", "train"), console)
    lines = [line for line in console.file.getvalue().splitlines() if "never occur" in line]
    assert lines == ([] if absent is None else [absent])


def test_what_was_passed_over_is_said(tmp_path: Path, console: Console) -> None:
    folder = layouts.binary(tmp_path)
    (folder / "images" / "val" / "[bold]a[nope] :smile:.gif").touch()
    check(open_data(f"binary:{folder}", "val"), console)
    assert f"{folder / 'images' / 'val'}, no images: 1 ([bold]a[nope] :smile:.gif)" in (
        console.file.getvalue()
    )


def test_too_little_memory_is_a_problem_of_one_sample(
    broken: DataSet, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(item: Item, size: tuple[int, int]) -> None:
        raise MemoryError

    data = replace(broken, read_target=read)
    assert "train/0.png: there is not enough memory for it" in scan(data, console).problems[0]
    with refused(r"train/0.png: there is not enough memory for it"):
        data[0]


@pytest.mark.parametrize(
    ("name", "pixels", "objects", "labelled"),
    [
        ("voc", {0: 16, 15: 16}, {}, 32),
        ("coco_instance", {}, {0: 1, 1: 1}, 0),
        ("coco_panoptic", {0: 8, 1: 8, 2: 16}, {0: 1, 1: 1, 2: 1}, 32),
        ("kitti", {}, {}, 32),
    ],
)
def test_one_sample(tmp_path: Path, name: str, pixels: dict, objects: dict, labelled: int) -> None:
    data = open_data(f"{name}:{layouts.LAYOUTS[name](tmp_path)}", "val")
    found = count(data, data[0][1])
    assert {i: n for i, n in enumerate(found.pixels.tolist()) if n} == pixels
    assert {i: n for i, n in enumerate(found.objects.tolist()) if n} == objects
    assert found.labelled == labelled
    if name == "kitti":
        assert (found.nearest, found.farthest) == (1, 78.125)


def test_sums(tmp_path: Path) -> None:
    data = open_data(f"nyu:{layouts.LAYOUTS['nyu'](tmp_path)}", "val")
    one = count(data, data[0][1])
    unknown = count(data, 0 * data[0][1])
    further = count(data, 2 * data[0][1])
    for order in ((one, further, unknown), (unknown, further, one)):
        every = sum(order, no_counts(data))
        assert every.labelled == 64
        assert (every.nearest, every.farthest) == (one.nearest, further.farthest)
    assert unknown.nearest == float("inf")
