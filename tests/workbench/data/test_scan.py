import io
from pathlib import Path

import pytest
from rich.console import Console

import layouts
from dysample.workbench.data.catalog import open_data
from dysample.workbench.data.dataset import DataSet
from dysample.workbench.data.scan import check, scan


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
    with pytest.raises(
        ValueError,
        match=r"^3 of 10 samples of camvid train cannot be used; the first: image .*train/3.png",
    ):
        check(broken, console)


def test_skips_and_says_how_many(broken: DataSet, console: Console) -> None:
    good = check(broken, console, skip_bad=True)
    assert [int(item.image.stem) for item in good.items] == [0, 1, 2, 4, 7, 8, 9]
    assert len(list(good)) == 7
    printed = console.file.getvalue()
    assert "3 of 10 samples of camvid train cannot be used and are left out" in printed


def test_whole_data_is_left_as_it_is(tmp_path: Path, console: Console) -> None:
    data = open_data(f"camvid:{layouts.camvid(tmp_path)}", "train")
    assert check(data, console) is data


def test_nothing_left(tmp_path: Path, console: Console) -> None:
    data = open_data(f"camvid:{layouts.camvid(tmp_path)}", "train")
    data.items[0].image.write_bytes(b"")
    with pytest.raises(ValueError, match=r"^1 of 1 samples of camvid train cannot be used"):
        check(data, console, skip_bad=True)
