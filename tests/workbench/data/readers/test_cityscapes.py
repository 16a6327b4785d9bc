from pathlib import Path

import numpy as np
import pytest

import layouts
from dysample.workbench.data.catalog import open_data
from dysample.workbench.data.readers.cityscapes import CLASSES


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


def test_wrong_names(tmp_path: Path) -> None:
    layouts.write_image(tmp_path / "leftImg8bit" / "val" / "munster" / "a.png")
    with pytest.raises(ValueError, match=r"a.png must have a name that ends in _leftImg8bit.png"):
        open_data(f"cityscapes:{tmp_path}", "val")


def test_no_city(tmp_path: Path) -> None:
    (tmp_path / "leftImg8bit" / "val").mkdir(parents=True)
    with pytest.raises(ValueError, match=r"val must hold a folder for each city, but has none"):
        open_data(f"cityscapes:{tmp_path}", "val")
