from pathlib import Path

import pytest

from dysample.workbench.data.catalog import open_data
from support import layouts
from support.refusals import refused


def test_images_masks_and_names(tmp_path: Path) -> None:
    data = open_data(f"folders:{layouts.folders(tmp_path)}", "train")
    assert [item.image.name for item in data.items] == ["in jpg.jpg", "in png.png"]
    assert data.classes.names == ("ground", "river bank")
    for _, labels in data:
        assert labels[:, 0].tolist() == [0, 0, 1, 1, 255, 255]


def test_more_labels_than_names(tmp_path: Path) -> None:
    layouts.folders(tmp_path)
    layouts.write_png(tmp_path / "masks" / "val" / "in jpg.png", layouts.rows(0, 2))
    with refused(r"in jpg.png holds label 2; labels must be 0 to 1, or 255"):
        open_data(f"folders:{tmp_path}", "val")[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must hold one class name a line, each once"),
        ("a\n\nb\n", "must hold one class name a line, each once"),
        ("a\nb\na\n", "must hold one class name a line, each once"),
        ("a\n\x1b[31mb\n", "must hold one class name a line, each once"),
        ("\n".join(map(str, range(256))), "must hold at most 255 names, but holds 256"),
    ],
)
def test_class_list(tmp_path: Path, text: str, message: str) -> None:
    (layouts.folders(tmp_path) / "classes.txt").write_text(text)
    with refused(rf"class list .*classes.txt {message}"):
        open_data(f"folders:{tmp_path}", "val")


def test_class_list_in_another_encoding(tmp_path: Path) -> None:
    (layouts.folders(tmp_path) / "classes.txt").write_bytes("Straße\n".encode("latin-1"))
    with refused(r"class list .*classes.txt must be UTF-8 text: "):
        open_data(f"folders:{tmp_path}", "val")


def test_no_class_list(tmp_path: Path) -> None:
    (layouts.folders(tmp_path) / "classes.txt").unlink()
    with refused(r"classes.txt does not exist; it must hold one", FileNotFoundError):
        open_data(f"folders:{tmp_path}", "val")


def test_black_and_white_masks(tmp_path: Path) -> None:
    """0 and 255: `folders` takes 255 for none, `binary` for the second class."""
    folder = layouts.binary(tmp_path)
    assert open_data(f"binary:{folder}", "val")[0][1][:, 0].tolist() == [0, 0, 0, 1, 1, 1]
    assert open_data(f"folders:{folder}", "val")[0][1][:, 0].tolist() == [0] * 3 + [255] * 3
    layouts.write_png(folder / "masks" / "val" / "a.png", layouts.rows(0, 1))
    assert open_data(f"folders:{folder}", "val")[0][1][:, 0].tolist() == [0, 0, 0, 1, 1, 1]
    with refused(r"a.png holds label 1; labels must be 0 or 255 .* \(`folders` reads 0 and"):
        open_data(f"binary:{folder}", "val")[0]


def test_binary_has_two_classes(tmp_path: Path) -> None:
    (layouts.binary(tmp_path) / "classes.txt").write_text("a\nb\nc\n")
    with refused(r"classes.txt must hold 2 names, but holds 3"):
        open_data(f"binary:{tmp_path}", "val")


@pytest.mark.parametrize("suffix", ["tif", "tiff", "bmp", "webp", "jpeg", "PNG"])
def test_images_of_other_formats(tmp_path: Path, suffix: str) -> None:
    folder = layouts.folders(tmp_path)
    layouts.write_image(folder / "images" / "val" / f"more.{suffix}")
    layouts.write_png(folder / "masks" / "val" / "more.png", layouts.rows(1))
    data = open_data(f"folders:{folder}", "val")
    assert data.items[2].image.name == f"more.{suffix}"
    image, labels = data[2]
    assert image[0, :, 7].min() > image[0, :, 0].max() + 100
    assert labels.unique().tolist() == [1]
    assert data.notes == ()


def test_two_images_that_share_a_mask(tmp_path: Path) -> None:
    folder = layouts.folders(tmp_path)
    layouts.write_image(folder / "images" / "val" / "in jpg.png")
    with refused(
        r"annotation .*masks/val/in jpg.png must belong to one image, but is shared by"
        r" in jpg.jpg and in jpg.png$"
    ):
        open_data(f"folders:{folder}", "val")


def test_what_is_passed_over(tmp_path: Path) -> None:
    folder = layouts.folders(tmp_path)
    images, masks = folder / "images" / "val", folder / "masks" / "val"
    for path in (
        images / "a.gif",
        images / "._in jpg.jpg",
        images / "Thumbs.db",
        masks / "old.png",
    ):
        path.touch()
    layouts.write_image(images / "more" / "b.jpg")
    data = open_data(f"folders:{folder}", "val")
    assert len(data) == 2
    assert data.notes == (
        f"skipped in {images}, no images: 2 (a.gif, more/)",
        f"skipped in {masks}, of no image: 1 (old.png)",
    )
    assert open_data(f"folders:{folder}", "train").notes == ()
