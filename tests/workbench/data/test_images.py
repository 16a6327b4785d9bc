from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dysample.workbench.data.images import check_image, list_images, read_depth, read_image


@pytest.fixture
def photograph(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (90, 120, 3)).astype(np.uint8)
    path = tmp_path / "photograph.jpg"
    Image.fromarray(pixels).save(path)
    return path


def test_size(photograph: Path) -> None:
    assert check_image(photograph) == (90, 120)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.95])
def test_cut_short_anywhere(photograph: Path, share: float) -> None:
    content = photograph.read_bytes()
    photograph.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=r"^image .*photograph.jpg cannot be read: "):
        check_image(photograph)


def test_grey_and_palette_images_become_rgb(tmp_path: Path) -> None:
    path = tmp_path / "grey.png"
    Image.new("L", (3, 2), 77).save(path)
    assert read_image(path).tolist() == [[[77] * 3] * 2] * 3
    palette = Image.new("P", (3, 2), 1)
    palette.putpalette([0, 0, 0, 10, 20, 30])
    palette.save(path)
    assert read_image(path)[:, 0, 0].tolist() == [10, 20, 30]


def test_sixteen_bits_are_refused_and_not_clipped_to_white(tmp_path: Path) -> None:
    path = tmp_path / "deep.png"
    Image.fromarray(np.full((3, 4), 1000, np.uint16)).save(path)
    for read in (read_image, check_image):
        with pytest.raises(
            ValueError, match=r"deep.png must have 8 bits a channel, but is of mode"
        ):
            read(path)


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"image .*no.png does not exist"):
        read_image(tmp_path / "no.png")


def test_depth_uses_all_sixteen_bits(tmp_path: Path) -> None:
    values = np.array([[0, 1, 65535]], np.uint16)
    Image.fromarray(values).save(tmp_path / "d.png")
    assert read_depth(tmp_path / "d.png", (1, 3), 0.5).tolist() == [[0, 0.5, 32767.5]]


def test_listing_passes_over_other_files(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", "Thumbs.db", "c.txt"):
        (tmp_path / name).touch()
    assert [path.name for path in list_images(tmp_path)] == ["a.png", "b.JPG"]
