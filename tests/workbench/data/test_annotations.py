"""Masks and depth maps of every kind of PNG: the stored value, or a line that says what it is."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dysample.workbench.data.annotations import read_colours, read_depth, read_indices
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


@pytest.mark.parametrize(
    ("form", "mode"), [("JPEG", "L"), ("BMP", "L"), ("TIFF", "F"), ("TIFF", "L"), ("GIF", "P")]
)
@pytest.mark.parametrize(
    "read",
    [read_indices, read_colours, lambda path, size: read_depth(Item(path, path, 0), size, 1.0)],
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
