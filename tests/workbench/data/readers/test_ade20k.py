from pathlib import Path

from dysample.workbench.data.catalog import open_data
from support import layouts
from support.refusals import refused


def test_labels_and_names(tmp_path: Path) -> None:
    data = open_data(f"ade20k:{layouts.ade20k(tmp_path)}", "val")
    assert len(data) == 2
    image, labels = data[1]
    assert data.items[1].image.name == "ADE_val_00000002.jpg"
    assert image.shape == (3, 6, 8)
    assert labels[:, 3].tolist() == [255, 255, 0, 0, 149, 149]
    assert data.classes.names[:3] == ("wall", "building", "thing 2")
    assert len(data.classes.names) == 150


def test_label_151(tmp_path: Path) -> None:
    layouts.ade20k(tmp_path)
    path = tmp_path / "annotations" / "training" / "ADE_train_00000001.png"
    layouts.write_png(path, layouts.rows(151))
    data = open_data(f"ade20k:{tmp_path}", "train")
    with refused(r"00001.png holds label 151; labels must be 1 to 150, or"):
        data[0]


def test_class_list(tmp_path: Path) -> None:
    path = layouts.ade20k(tmp_path) / "objectInfo150.txt"
    path.write_text(path.read_text().rpartition("\n")[0])
    with refused(r"objectInfo150.txt must hold 150 classes, but holds 149"):
        open_data(f"ade20k:{tmp_path}", "train")
    path.unlink()
    with refused(r"class list .*objectInfo150.txt does not exist", FileNotFoundError):
        open_data(f"ade20k:{tmp_path}", "train")
