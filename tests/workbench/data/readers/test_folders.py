from pathlib import Path

import pytest

import layouts
from dysample.workbench.data.catalog import open_data


def test_images_masks_and_names(tmp_path: Path) -> None:
    data = open_data(f"folders:{layouts.folders(tmp_path)}", "train")
    assert [item.image.name for item in data.items] == ["in jpg.jpg", "in png.png"]
    assert data.classes.names == ("ground", "river bank")
    for _, labels in data:
        assert labels[:, 0].tolist() == [0, 0, 1, 1, 255, 255]


def test_more_labels_than_names(tmp_path: Path) -> None:
    layouts.folders(tmp_path)
    layouts.write_png(tmp_path / "masks" / "val" / "in jpg.png", layouts.rows(0, 2))
    with pytest.raises(
        ValueError, match=r"in jpg.png holds label 2; labels must be 0 to 1, or 255"
    ):
        open_data(f"folders:{tmp_path}", "val")[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must hold one class name a line, each once"),
        ("a\n\nb\n", "must hold one class name a line, each once"),
        ("a\nb\na\n", "must hold one class name a line, each once"),
        ("\n".join(map(str, range(256))), "must hold at most 255 names, but holds 256"),
    ],
)
def test_class_list(tmp_path: Path, text: str, message: str) -> None:
    (layouts.folders(tmp_path) / "classes.txt").write_text(text)
    with pytest.raises(ValueError, match=rf"class list .*classes.txt {message}"):
        open_data(f"folders:{tmp_path}", "val")


def test_class_list_in_another_encoding(tmp_path: Path) -> None:
    (layouts.folders(tmp_path) / "classes.txt").write_bytes("Straße\n".encode("latin-1"))
    with pytest.raises(ValueError, match=r"class list .*classes.txt must be UTF-8 text: "):
        open_data(f"folders:{tmp_path}", "val")


def test_no_class_list(tmp_path: Path) -> None:
    (layouts.folders(tmp_path) / "classes.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"classes.txt does not exist; it must hold one"):
        open_data(f"folders:{tmp_path}", "val")
