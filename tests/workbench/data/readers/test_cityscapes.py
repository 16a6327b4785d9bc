from pathlib import Path

import numpy as np

from dysample.workbench.data.catalog import open_data
from dysample.workbench.data.readers.cityscapes import CLASSES
from support import layouts
from support.refusals import refused


def test_label_ids_become_train_ids(tmp_path: Path) -> None:
    data = open_data(f"cityscapes:{layouts.cityscapes(tmp_path)}", "train")
    assert [item.image.parent.name for item in data.items] == ["aachen", "bochum"]
    assert data[0][1][:, 0].tolist() == [255, 255, 0, 0, 18, 18]


def test_every_label_id(tmp_path: Path) -> None:
    layouts.cityscapes(tmp_path)
    values = np.zeros((6, 8), np.uint8)
    values.flat[:34] = np.arange(34)
    label = "gtFine/val/munster/munster_000000_000019_gtFine_labelIds.png"
    layouts.write_png(tmp_path / label, values)
    labels = open_data(f"cityscapes:{tmp_path}", "val")[0][1].flatten()[:34].tolist()
    # Cordts et al., table of classes: these ids are evaluated, in this order.
    evaluated = [7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33]
    assert [i for i, label in enumerate(labels) if label != 255] == evaluated
    assert [labels[i] for i in evaluated] == list(range(19))


def test_classes() -> None:
    assert CLASSES.names[0] == "road"
    assert CLASSES.names[18] == "bicycle"
    assert CLASSES.palette is not None
    assert CLASSES.palette[0] == (128, 64, 128)
    things = [CLASSES.names[i] for i in sorted(CLASSES.things)]
    assert things == ["person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle"]


def test_train_ids_where_there_are_no_label_ids(tmp_path: Path) -> None:
    layouts.cityscapes(tmp_path)
    base = tmp_path / "gtFine" / "train"
    ids = base / "aachen" / "aachen_000000_000019_gtFine_labelIds.png"
    layouts.write_png(ids.with_name(ids.name.replace("labelIds", "labelTrainIds")), layouts.rows(3))
    assert open_data(f"cityscapes:{tmp_path}", "train")[0][1][:, 0].tolist() == [
        255, 255, 0, 0, 18, 18,
    ]  # fmt: skip
    ids.unlink()
    layouts.write_png(
        ids.with_name(ids.name.replace("labelIds", "labelTrainIds")), layouts.rows(0, 18, 255)
    )
    data = open_data(f"cityscapes:{tmp_path}", "train")
    assert data[0][1][:, 0].tolist() == [0, 0, 18, 18, 255, 255]
    assert data[1][1][:, 0].tolist() == [255, 255, 0, 0, 18, 18]  # of another city, label ids
    layouts.write_png(data.items[0].annotation, layouts.rows(19))
    with refused(r"holds label 19; labels must be train ids 0 to 18, or 2"):
        data[0]


def test_coarse_annotations_where_there_are_no_fine_ones(tmp_path: Path) -> None:
    layouts.cityscapes(tmp_path)
    coarse = tmp_path / "gtCoarse" / "val" / "munster" / "munster_000000_000019_gtCoarse_labelIds"
    layouts.write_png(coarse.with_suffix(".png"), layouts.rows(0, 33, 7))
    fine = [255, 255, 0, 0, 18, 18]
    assert open_data(f"cityscapes:{tmp_path}", "val")[0][1][:, 0].tolist() == fine
    (tmp_path / "gtFine" / "val").rename(tmp_path / "aside")
    data = open_data(f"cityscapes:{tmp_path}", "val")
    assert data[0][1][:, 0].tolist() == [255, 255, 18, 18, 0, 0]
    (tmp_path / "gtCoarse").rename(tmp_path / "more")
    with refused(r"annotation .*munster_000000_000019_gtFine_label", FileNotFoundError):
        open_data(f"cityscapes:{tmp_path}", "val")[0]


def test_what_is_passed_over(tmp_path: Path) -> None:
    base = layouts.cityscapes(tmp_path) / "leftImg8bit" / "val"
    (base / "list.txt").touch()
    (base / "munster" / "._munster_000000_000019_leftImg8bit.png").touch()
    (base / "munster" / "movie.mp4").touch()
    data = open_data(f"cityscapes:{tmp_path}", "val")
    assert len(data) == 1
    assert data.notes == (
        f"skipped in {base}, no folders of cities: 1 (list.txt)",
        f"skipped in {base / 'munster'}, no images: 1 (movie.mp4)",
    )


def test_wrong_names(tmp_path: Path) -> None:
    layouts.write_image(tmp_path / "leftImg8bit" / "val" / "munster" / "a.png")
    with refused(r"a.png must have a name that ends in _leftImg8bit.png"):
        open_data(f"cityscapes:{tmp_path}", "val")


def test_no_city(tmp_path: Path) -> None:
    (tmp_path / "leftImg8bit" / "val").mkdir(parents=True)
    with refused(r"val must hold a folder for each city, but has none"):
        open_data(f"cityscapes:{tmp_path}", "val")
