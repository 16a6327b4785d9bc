from pathlib import Path

import numpy as np
import pytest
import torch

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


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("0.0002\n", 0.0002),
        ("\ufeff 1e-3 ", 0.001),
        (".00390625", 1 / 256),
        ("1", 1.0),
        ("1e-6", 1e-6),
    ],
)
def test_depths_in_the_stated_unit(tmp_path: Path, text: str, unit: float) -> None:
    (layouts.folders_depth(tmp_path) / "depth_unit.txt").write_text(text, encoding="utf-8")
    for split in ("train", "val"):
        data = open_data(f"folders_depth:{tmp_path}", split)
        assert [item.image.name for item in data.items] == ["in jpg.jpg", "in png.png"]
        for _, depth in data:
            torch.testing.assert_close(
                depth[::2, 0].as_subclass(torch.Tensor), torch.tensor([0, 5000 * unit, 7 * unit])
            )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", "''"),
        ("0", "'0'"),
        ("-0.001", "'-0.001'"),
        ("1000", "'1000'"),
        ("5000.0", "'5000.0'"),
        ("9e-7", "'9e-7'"),
        ("nan", "'nan'"),
        ("inf", "'inf'"),
        ("mm", "'mm'"),
        ("0,001", "'0,001'"),
        ("0_1", "'0_1'"),
        ("0.001 m", "'0.001 m'"),
        ("0.001\n0.001", r"'0.001\\n0.001'"),
        ("1" * 10_000, "'1{12}\\.\\.\\.1{13}'"),
    ],
)
def test_depth_units_that_cannot_be_told(tmp_path: Path, text: str, shown: str) -> None:
    (layouts.folders_depth(tmp_path) / "depth_unit.txt").write_text(text)
    with refused(
        r"depth unit .*/depth_unit.txt must hold the metres of value 1, such as 0.001 where depths"
        rf" are millimetres, one number from 0.000001 to 1, but holds {shown}$"
    ):
        open_data(f"folders_depth:{tmp_path}", "val")


def test_no_depth_unit(tmp_path: Path) -> None:
    (layouts.folders_depth(tmp_path) / "depth_unit.txt").unlink()
    message = r"depth_unit.txt does not exist; it must hold the metres of value 1, such as"
    with refused(message, FileNotFoundError):
        open_data(f"folders_depth:{tmp_path}", "val")


@pytest.mark.parametrize(
    ("name", "maps"), [("folders_depth", "depths"), ("folders_instance", "instances")]
)
def test_no_folder_of_maps(tmp_path: Path, name: str, maps: str) -> None:
    folder = layouts.LAYOUTS[name](tmp_path) / maps / "val"
    folder.rename(folder.with_name("aside"))
    with refused(rf"folder {folder} does not exist", FileNotFoundError):
        open_data(f"{name}:{tmp_path}", "val")
    assert len(open_data(f"{name}:{tmp_path}", "train")) == 2


def test_numbered_objects(tmp_path: Path) -> None:
    data = open_data(f"folders_instance:{layouts.folders_instance(tmp_path)}", "val")
    assert data.classes.names == ("river boat",)
    assert data.classes.things == {0}
    expected = torch.zeros(2, 6, 8, dtype=torch.uint8)
    expected[0, 2:5, 1:3] = 1
    expected[1, 2:5, 4:7] = 1
    for i, (_, target) in enumerate(data):
        assert torch.equal(target["masks"].as_subclass(torch.Tensor), expected)
        assert target["boxes"].tolist() == [[1, 2, 3, 5], [4, 2, 7, 5]]
        assert target["labels"].tolist() == [1, 1]
        assert target["area"].tolist() == [6, 9]
        assert target["image_id"] == i


def test_image_without_an_object(tmp_path: Path) -> None:
    folder = layouts.folders_instance(tmp_path)
    layouts.write_png(folder / "instances" / "val" / "7.png", layouts.rows(0), np.uint16)
    _, target = open_data(f"folders_instance:{folder}", "val")[1]
    assert target["boxes"].shape == (0, 4)
    assert target["masks"].shape == (0, 6, 8)


def test_objects_have_one_class(tmp_path: Path) -> None:
    folder = layouts.folders_instance(tmp_path)
    (folder / "classes.txt").write_text("none\nboat\n")
    with refused(
        r"class list .*classes.txt must hold 1 name, that of every object's class, but holds 2"
        r" \(`coco_instance` reads objects of several classes\)$"
    ):
        open_data(f"folders_instance:{folder}", "val")
    (folder / "classes.txt").unlink()
    with refused(r"classes.txt does not exist; it must hold one name, that", FileNotFoundError):
        open_data(f"folders_instance:{folder}", "val")
