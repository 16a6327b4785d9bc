import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console

from dysample.workbench.data.catalog import open_data
from dysample.workbench.data.readers.camvid import CLASSES
from dysample.workbench.metrics.boundary import IGNORE
from dysample.workbench.settings import settings_for
from dysample.workbench.tasks.semantic import SemanticTask
from dysample.workbench.training.prepare import prepare


def test_reads_images_and_labels(camvid: Path, tiny: Callable) -> None:
    settings = tiny("camvid:x", size=60)
    train, val = SemanticTask.load(f"camvid:{camvid}", settings)
    assert SemanticTask.describe(f"camvid:{camvid}", settings) == {
        "name": "camvid",
        "train": 5,
        "val": 4,
        "height": 60,
        "width": 80,
        "classes": list(CLASSES.names),
        "things": [],
    }
    assert (len(train), len(val)) == (5, 4)
    assert train.sample(0)[0].shape == (3, 60, 80)
    # Five rows a class in ascending order, void last; grey level 20 times the class.
    expected = torch.arange(12).repeat_interleave(5)
    assert torch.equal(val.label(0)[:, 7].long(), expected.where(expected < 11, IGNORE))
    assert (val.sample(1)[0][0, 52] * 255 - 200).abs().max() <= 9


def test_sample_on_disk(camvid: Path) -> None:
    data = open_data(f"camvid:{camvid}", "val")
    image, labels = data[1]
    assert image.shape == (3, 60, 80)
    assert labels.shape == (60, 80)
    expected = torch.arange(12).repeat_interleave(5)
    assert torch.equal(labels[:, 7], expected.where(expected < 11, IGNORE))
    assert len(CLASSES.palette) == len(CLASSES.names) == 11


def test_resizes_to_the_aspect_ratio(camvid: Path, tiny: Callable) -> None:
    _, val = SemanticTask.load(f"camvid:{camvid}", tiny("camvid:x", size=33))
    assert val.sample(0)[0].shape == (3, 33, 44)


def test_resizing_invents_no_labels(camvid: Path, tiny: Callable) -> None:
    stripes = np.where(np.arange(80) % 4 < 2, 0, 10).astype(np.uint8)[None].repeat(60, axis=0)
    Image.fromarray(stripes).save(camvid / "valannot" / "f0.png")
    _, val = SemanticTask.load(f"camvid:{camvid}", tiny(size=33))
    assert val.label(0).unique().tolist() == [0, 10]


def test_fewer_frames_than_found(camvid: Path, tiny: Callable) -> None:
    train, val = SemanticTask.load(f"camvid:{camvid}", tiny(train_frames=2, val_frames=1))
    assert (len(train), len(val)) == (2, 1)


def test_all_frames_by_default(camvid: Path) -> None:
    settings = settings_for("semantic", "camvid:x", size=60)
    about = SemanticTask.describe(f"camvid:{camvid}", settings)
    assert (about["train"], about["val"]) == (5, 4)


def test_void_255_and_palette(camvid: Path, tiny: Callable) -> None:
    label = Image.fromarray(np.full((60, 80), 255, np.uint8))
    label.putpixel((0, 0), 3)
    label.save(camvid / "valannot" / "f0.png")
    palette = Image.fromarray(np.full((60, 80), 4, np.uint8))
    palette.putpalette([i % 256 for i in range(768)])
    palette.save(camvid / "valannot" / "f1.png")
    _, val = SemanticTask.load(f"camvid:{camvid}", tiny(size=60))
    assert val.label(0).unique().tolist() == [3, IGNORE]
    assert val.label(1).unique().tolist() == [4]


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def _rename(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))


def _label(path: Path, value: int = 3, size: tuple[int, int] = (80, 60), mode: str = "L") -> None:
    Image.new(mode, size, value).save(path)


@pytest.mark.parametrize(
    ("path", "damage", "error", "message"),
    [
        ("val", _rename, FileNotFoundError, r"folder .*cv/val does not exist"),
        ("trainannot", _rename, FileNotFoundError, r"folder .*cv/trainannot does not exist"),
        (
            "valannot/f2.png",
            _rename,
            ValueError,
            r"annotation .*valannot/f2.png does not exist",
        ),
        ("train/f1.png", _truncate, ValueError, r"image .*train/f1.png cannot be read: "),
        ("val/f0.jpg", _truncate, ValueError, r"image .*val/f0.jpg cannot be read: "),
        (
            "train/f0.jpg",
            lambda path: path.write_text("no image"),
            ValueError,
            r"image .*train/f0.jpg cannot be read: ",
        ),
        (
            "valannot/f1.png",
            lambda path: _label(path, value=12),
            ValueError,
            r"annotation .*valannot/f1.png holds label 12; labels must be 0 to 10, or 11 or 255",
        ),
        (
            "trainannot/f3.png",
            lambda path: _label(path, size=(60, 80)),
            ValueError,
            r"annotation .*trainannot/f3.png must be of its image's size 80x60, but is 60x80",
        ),
        (
            "trainannot/f3.png",
            lambda path: _label(path, mode="RGB"),
            ValueError,
            r"annotation .*trainannot/f3.png must hold one class index .* a pixel, but is RGB",
        ),
    ],
)
def test_bad_files(
    camvid: Path, tiny: Callable, path: str, damage: Callable, error: type, message: str
) -> None:
    damage(camvid / path)

    def opened() -> None:
        SemanticTask.describe(f"camvid:{camvid}", tiny())
        prepare(f"camvid:{camvid}", {}, Console(file=io.StringIO()))

    with pytest.raises(error, match=message) as caught:
        opened()
    assert "\n" not in str(caught.value)


def test_empty_folder(camvid: Path, tiny: Callable) -> None:
    for file in (camvid / "val").iterdir():
        file.unlink()
    with pytest.raises(ValueError, match=r"folder .*val must hold images \(.jpg, "):
        SemanticTask.load(f"camvid:{camvid}", tiny())


def test_more_frames_than_there_are(camvid: Path, tiny: Callable) -> None:
    with pytest.raises(ValueError, match=r"`val_frames` \(=9\) must not exceed the 4 images in"):
        SemanticTask.describe(f"camvid:{camvid}", tiny(val_frames=9))


def test_too_wide(camvid: Path, tiny: Callable) -> None:
    Image.new("RGB", (4000, 40)).save(camvid / "train" / "f0.jpg")
    with pytest.raises(ValueError, match=r"`size` \(=64\) makes images 6400 pixels wide"):
        SemanticTask.describe(f"camvid:{camvid}", tiny(size=64))
