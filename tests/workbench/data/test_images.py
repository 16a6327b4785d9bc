from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dysample.workbench.data import images
from dysample.workbench.data.images import FORMATS, check_image, read_image
from support.refusals import refused


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
    with refused(r"^image .*photograph.jpg cannot be read: "):
        check_image(photograph)


def test_grey_and_palette_images_become_rgb(tmp_path: Path) -> None:
    path = tmp_path / "grey.png"
    Image.new("L", (3, 2), 77).save(path)
    assert read_image(path).tolist() == [[[77] * 3] * 2] * 3
    palette = Image.new("P", (3, 2), 1)
    palette.putpalette([0, 0, 0, 10, 20, 30])
    palette.save(path)
    assert read_image(path)[:, 0, 0].tolist() == [10, 20, 30]


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_that_is_documented(tmp_path: Path, form: str) -> None:
    path = tmp_path / "image"
    Image.new("RGB", (4, 3), (250, 10, 20)).save(path, form)
    assert check_image(path) == (3, 4)
    pixels = read_image(path)
    assert pixels.shape == (3, 3, 4)
    assert (pixels.float().mean((1, 2)) - pixels.new_tensor([250, 10, 20])).abs().max() < 4


@pytest.mark.parametrize("form", ["EPS", "GIF", "PPM", "ICO", "PCX", "TGA", "PDF"])
def test_other_formats_are_not_opened(
    tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the name says: Pillow gives a PostScript file to Ghostscript."""
    path = tmp_path / "image.png"
    Image.new("RGB", (4, 3)).save(path, form)

    def start(*command: Any, **options: Any) -> None:
        raise AssertionError(f"started {command}")

    monkeypatch.setattr("subprocess.Popen", start)
    monkeypatch.setattr("os.system", start)
    for read in (read_image, check_image):
        with refused(r"image.png cannot be read: it must be a JPEG, PNG, TIFF, BMP or WEBP file$"):
            read(path)


def test_sixteen_bits_are_refused_and_not_clipped_to_white(tmp_path: Path) -> None:
    path = tmp_path / "deep.png"
    Image.fromarray(np.full((3, 4), 1000, np.uint16)).save(path)
    for read in (read_image, check_image):
        with refused(r"deep.png must have 8 bits a channel, but is of mode"):
            read(path)


@pytest.mark.parametrize(
    ("mode", "message"),
    [
        ("F", "must have 8 bits a channel, but is of mode F"),
        ("LAB", "must be grey, RGB or CMYK, but is of mode LAB"),
    ],
)
def test_other_colours(tmp_path: Path, mode: str, message: str) -> None:
    path = tmp_path / "image.tif"
    Image.new(mode, (4, 3)).save(path)
    for read in (read_image, check_image):
        with refused(rf"image.tif {message}$"):
            read(path)


def test_missing(tmp_path: Path) -> None:
    with refused(r"image .*no.png does not exist", FileNotFoundError):
        read_image(tmp_path / "no.png")


@pytest.mark.parametrize("form", FORMATS)
def test_damage_anywhere_is_one_line(tmp_path: Path, form: str) -> None:
    """Bytes that were flipped: an image, or a line that names the file."""
    rng = np.random.default_rng(0)
    path = tmp_path / "image"
    Image.fromarray(rng.integers(0, 256, (9, 12, 3)).astype(np.uint8)).save(path, form)
    content = np.frombuffer(path.read_bytes(), np.uint8)
    refused = 0
    for _ in range(60):
        damaged = content.copy()
        damaged[rng.integers(0, min(200, len(content)), 3)] = rng.integers(0, 256, 3)
        path.write_bytes(damaged.tobytes())
        message = told(path)
        if message is not None:
            refused += 1
            assert message.startswith(f"image {path} ")
            assert "\n" not in message
    assert refused > 5


def told(path: Path) -> str | None:
    """What is said about a damaged image; None if it can be read."""
    try:
        check_image(path)
        read_image(path)
    except ValueError as error:
        return str(error)
    return None


def test_too_little_memory_is_one_line(photograph: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*args: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(images.Image.Image, "load", load)
    with refused(r"photograph.jpg cannot be read: there is not enough me"):
        read_image(photograph)


def noted(path: Path, orientation: int, size: tuple[int, int] = (12, 8)) -> np.ndarray:
    """A photograph (H, W, 3) as it is stored, with a note that it is to be turned."""
    pixels = np.zeros((*size, 3), np.uint8)
    pixels[: size[0] // 2, : size[1] // 2] = 255  # the upper left corner
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(path, quality=95, subsampling=0, exif=exif)
    return pixels


# Where the upper left corner comes to lie, by EXIF: rows then columns.
UPRIGHT = {5: ("top", "left"), 6: ("top", "right"), 7: ("bottom", "right"), 8: ("bottom", "left")}


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_orientation_is_applied_where_the_stated_size_says_so(
    tmp_path: Path, orientation: int, suffix: str
) -> None:
    path = tmp_path / f"a.{suffix}"
    stored = noted(path, orientation)
    for stated in (None, (12, 8)):
        assert check_image(path, stated) == (12, 8)
        found = read_image(path, stated).permute(1, 2, 0).numpy()
        assert np.abs(found.astype(int) - stored).max() < 20
    assert check_image(path, (8, 12)) == (8, 12)
    found = read_image(path, (8, 12))[0]
    assert found.shape == (8, 12)
    rows, columns = UPRIGHT[orientation]
    corner = found[slice(0, 4) if rows == "top" else slice(4, 8)]
    corner = corner[:, slice(0, 6) if columns == "left" else slice(6, 12)]
    assert corner.min() > 235
    assert int((found > 128).sum()) == corner.numel()


@pytest.mark.parametrize(("orientation", "size"), [(2, (12, 8)), (3, (12, 8)), (4, (12, 8)),
                                                   (6, (8, 8))])  # fmt: skip
def test_orientation_that_no_size_decides(
    tmp_path: Path, orientation: int, size: tuple[int, int]
) -> None:
    path = tmp_path / "a.jpg"
    noted(path, orientation, size)
    assert read_image(path).shape[1:] == size  # nothing is stated: as it is stored
    for read in (read_image, check_image):
        with refused(
            rf"a.jpg must be stored upright: it notes an orientation \(EXIF {orientation}\)"
        ):
            read(path, size)


def test_no_or_a_senseless_note(tmp_path: Path) -> None:
    for orientation in (1, 0, 9):
        noted(tmp_path / "a.jpg", orientation)
        assert check_image(tmp_path / "a.jpg", (12, 8)) == (12, 8)
        assert read_image(tmp_path / "a.jpg", (8, 12)).shape[1:] == (12, 8)
