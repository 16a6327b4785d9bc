"""Masks and depth maps of every kind of PNG: the stored value, or a line that says what it is."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dysample.workbench.data import annotations
from dysample.workbench.data.annotations import (
    read_colours,
    read_depth,
    read_indices,
    read_objects,
)
from dysample.workbench.data.dataset import Item
from support.png import GREY, GREY_ALPHA, PALETTE, RGB, RGBA, write_raw_png
from support.refusals import refused

SIZE = (19, 23)


def values_below(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, count, SIZE)


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("kind", [GREY, PALETTE])
@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_indices_as_they_are_stored(tmp_path: Path, bits: int, kind: int, interlaced: bool) -> None:
    expected = values_below(2**bits)
    assert len(np.unique(expected)) > 2**bits // 2
    write_raw_png(tmp_path / "m.png", expected, bits, kind, interlaced)
    found = read_indices(tmp_path / "m.png", SIZE)
    assert found.dtype == np.uint8
    assert found.tolist() == expected.tolist()


def test_what_pillow_writes(tmp_path: Path) -> None:
    """Also a mask that was saved as black and white, and a palette of few colours."""
    path = tmp_path / "m.png"
    expected = values_below(2)
    Image.fromarray(expected.astype(bool)).save(path)
    assert read_indices(path, SIZE).tolist() == expected.tolist()
    palette = Image.fromarray(values_below(4).astype(np.uint8))
    palette.putpalette([9, 9, 9, 200, 1, 1, 1, 200, 1, 1, 1, 200])
    palette.save(path, bits=2, transparency=0)
    assert read_indices(path, SIZE).tolist() == values_below(4).tolist()


@pytest.mark.parametrize(
    ("bits", "kind", "channels", "found"),
    [
        (16, GREY, 1, "I;16 (stored as I;16B)"),
        (8, GREY_ALPHA, 2, "LA"),
        (16, GREY_ALPHA, 2, "RGBA (stored as LA;16B)"),
        (8, RGB, 3, "RGB"),
        (16, RGB, 3, "RGB (stored as RGB;16B)"),
        (8, RGBA, 4, "RGBA"),
    ],
)
def test_masks_of_other_kinds(
    tmp_path: Path, bits: int, kind: int, channels: int, found: str
) -> None:
    path = tmp_path / "m.png"
    write_raw_png(path, np.ones((*SIZE, channels), int), bits, kind)
    with refused("must hold one class index of at most 8 bits") as caught:
        read_indices(path, SIZE)
    if "I;16" not in found:  # Pillow before 11.3 calls that mode I
        assert str(caught.value).endswith(f"but is {found}")


@pytest.mark.parametrize(
    ("bits", "kind", "channels"), [(16, RGB, 3), (8, RGBA, 4), (8, GREY, 1), (8, PALETTE, 1)]
)
def test_colours_of_other_kinds(tmp_path: Path, bits: int, kind: int, channels: int) -> None:
    """Of 16 bits Pillow keeps the upper 8: segments would get other numbers."""
    path = tmp_path / "m.png"
    write_raw_png(path, np.ones((*SIZE, channels), int), bits, kind)
    with refused(r"m.png must be an RGB image of 8 bits a channel, but"):
        read_colours(path, SIZE)


def test_depth_uses_all_sixteen_bits(tmp_path: Path) -> None:
    item = Item(tmp_path, tmp_path / "d.png", 0)
    write_raw_png(tmp_path / "d.png", [[0, 1, 65535]], 16)
    assert read_depth(item, (1, 3), 0.5).tolist() == [[0, 0.5, 32767.5]]
    write_raw_png(tmp_path / "d.png", [[0, 1, 255]], 8)
    with refused(r"d.png must be a 16-bit grey PNG, but is L$"):
        read_depth(item, (1, 3), 0.5)


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(
    ("bits", "kind", "numbers"),
    [
        (1, GREY, [1]),
        (2, GREY, [1, 3]),
        (4, PALETTE, [3, 15]),
        (8, GREY, [2, 254, 255]),
        (8, PALETTE, [255, 7]),
        (8, GREY, [254]),
        (16, GREY, [1, 255, 256, 65535]),
        (16, GREY, [255]),
        (16, GREY, []),
    ],
)
def test_numbered_objects(
    tmp_path: Path, bits: int, kind: int, numbers: list[int], interlaced: bool
) -> None:
    """The numbers have gaps, and objects are in many pieces."""
    values = np.random.default_rng(0).choice(np.array([0, *numbers]), SIZE)
    write_raw_png(tmp_path / "m.png", values, bits, kind, interlaced)
    found = read_objects(Item(tmp_path, tmp_path / "m.png", 5), SIZE)
    expected = [values == number for number in sorted(numbers)]
    assert found["masks"].shape == (len(numbers), *SIZE)
    assert found["masks"].tolist() == [mask.astype(int).tolist() for mask in expected]
    assert found["area"].tolist() == [mask.sum() for mask in expected]
    assert found["labels"].tolist() == [1] * len(numbers)
    assert found["iscrowd"].tolist() == [0] * len(numbers)
    assert found["image_id"] == 5


@pytest.mark.parametrize(("bits", "kind"), [(8, GREY), (8, PALETTE), (16, GREY)])
@pytest.mark.parametrize("ground", [0, 1])
def test_objects_in_black_and_white(tmp_path: Path, bits: int, kind: int, ground: int) -> None:
    white = 2**bits - 1
    values = np.full(SIZE, white)
    values[2:5, :ground] = 0
    write_raw_png(tmp_path / "m.png", values, bits, kind)
    with refused(
        rf"annotation .*m.png must give each object a number of its own, but holds {white} alone,"
        r" as a mask in black and white does$"
    ):
        read_objects(Item(tmp_path, tmp_path / "m.png", 0), SIZE)


def test_more_objects_than_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As of a map of depth, which would take all the memory there is."""
    item = Item(tmp_path, tmp_path / "m.png", 0)
    write_raw_png(item.annotation, np.arange(80 * 90).reshape(80, 90), 16)
    monkeypatch.setattr(annotations, "_MASKS", 7199 * 7200)
    assert len(read_objects(item, (80, 90))["labels"]) == 7199
    monkeypatch.setattr(annotations, "_MASKS", 7199 * 7200 - 1)
    with refused(
        r"m.png must number objects whose masks fit into 0\.0\d+ GiB, but has 7199 of 90x80 pixels$"
    ):
        read_objects(item, (80, 90))


@pytest.mark.parametrize(
    ("bits", "kind", "channels"), [(8, RGB, 3), (16, RGB, 3), (8, GREY_ALPHA, 2), (8, RGBA, 4)]
)
def test_objects_of_other_kinds(tmp_path: Path, bits: int, kind: int, channels: int) -> None:
    write_raw_png(tmp_path / "m.png", np.ones((*SIZE, channels), int), bits, kind)
    with refused(r"m.png must hold one object number of at most 16 bits a pixel, but is "):
        read_objects(Item(tmp_path, tmp_path / "m.png", 0), SIZE)


@pytest.mark.parametrize(
    ("form", "mode"), [("JPEG", "L"), ("BMP", "L"), ("TIFF", "F"), ("TIFF", "L"), ("GIF", "P")]
)
@pytest.mark.parametrize(
    "read",
    [
        read_indices,
        read_colours,
        lambda path, size: read_depth(Item(path, path, 0), size, 1.0),
        lambda path, size: read_objects(Item(path, path, 0), size),
    ],
)
def test_files_that_are_no_png(tmp_path: Path, form: str, mode: str, read: Callable) -> None:
    path = tmp_path / "m.png"
    Image.new(mode, SIZE[::-1]).save(path, form)
    with refused(r"annotation .*m.png cannot be read: it must be a PNG f"):
        read(path, SIZE)


def test_another_size(tmp_path: Path) -> None:
    write_raw_png(tmp_path / "m.png", np.zeros((4, 6), int), 8)
    with refused(r"m.png must be of its image's size 5x4, but is 6x4$"):
        read_indices(tmp_path / "m.png", (4, 5))
    with refused(r"4x6, but is 6x4; an orientation .* \(EXIF\) is not ap"):
        read_indices(tmp_path / "m.png", (6, 4))
