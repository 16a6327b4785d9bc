from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dysample.workbench.data.scenes import LARGEST_SET, render_frame
from dysample.workbench.look import picture
from dysample.workbench.look.picture import check_file, load_picture
from support.look_runs import bomb


def test_scenes_are_the_validation_frames() -> None:
    scene = load_picture("scene:7")
    frame = render_frame(0, LARGEST_SET + 7, (32, 64))
    np.testing.assert_array_equal(scene.at((32, 64)), frame.image)
    np.testing.assert_array_equal(scene.frame((32, 64)).semantic, frame.semantic)
    assert load_picture("scene").name == "scene:0"
    assert scene.size is None


def test_files_arrays_and_images_of_pillow(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    for source in (tmp_path / "a.png", str(tmp_path / "a.png"), pixels, Image.fromarray(pixels)):
        loaded = load_picture(source)
        np.testing.assert_array_equal(loaded.pixels, pixels)
        assert loaded.size == (5, 7)
    assert loaded.at((10, 14)).shape == (10, 14, 3)
    with pytest.raises(ValueError, match="must be a scene"):
        loaded.frame((32, 32))


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32])
def test_more_than_eight_bits_are_refused(tmp_path: Path, dtype: type) -> None:
    """A conversion would make nearly all of it white."""
    deep = Image.fromarray(np.full((3, 4), 1000, dtype))
    with pytest.raises(ValueError, match=r"^`image` must have 8 bits a channel, but is of mode"):
        load_picture(deep)
    if dtype is np.uint16:
        deep.save(tmp_path / "deep.png")
        with pytest.raises(ValueError, match=r"^`image` \(=deep.png\) must have 8 bits a channel"):
            load_picture(tmp_path / "deep.png")


def test_a_photo_stands_upright(tmp_path: Path) -> None:
    pixels = np.zeros((4, 6, 3), np.uint8)
    pixels[0] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # turn right
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    loaded = load_picture(tmp_path / "a.png")
    assert loaded.size == (6, 4)
    assert (loaded.pixels[:, -1] == 255).all()


@pytest.mark.parametrize(("width", "height"), [(8000, 8000), (30000, 30000)])
def test_decompression_bombs_are_refused_by_their_head(
    width: int, height: int, tmp_path: Path
) -> None:
    path = bomb(tmp_path / "bomb.png", width, height)
    with pytest.raises(ValueError, match=r"\(=bomb.png\) must have at most 50 million pixels"):
        load_picture(path)


def test_heavy_files_other_files_and_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = tmp_path / "a.txt"
    text.write_text("%!PS-Adobe-3.0 EPSF-3.0\n")
    with pytest.raises(ValueError, match=r"\(=a.txt\) must be an image: JPEG, PNG"):
        check_file(text)
    cut = bomb(tmp_path / "cut.png", 8, 8)
    with pytest.raises(ValueError, match=r"cut\.png cannot be read"):
        load_picture(cut)
    monkeypatch.setattr(picture, "MOST_BYTES", 10)
    with pytest.raises(ValueError, match=r"\(=a.txt\) must have at most 0 MB, but has"):
        check_file(text)
    with pytest.raises(FileNotFoundError, match="'scene:NUMBER' for an embedded one"):
        load_picture("scene:x")
    with pytest.raises(ValueError, match="scenes are numbered from 0 to 999999"):
        load_picture("scene:1000000")


@pytest.mark.parametrize(
    "array", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((4, 4, 4), np.uint8)]
)
def test_arrays_of_another_form(array: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"`image` must be \(H, W, 3\) uint8, but is"):
        load_picture(array)


def test_something_else() -> None:
    with pytest.raises(TypeError, match="not int"):
        load_picture(3)
