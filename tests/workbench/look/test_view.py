"""Whole figures: what is on them, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image
from torch import nn

from dysample import DySample, create_upsampler
from dysample.nn import Bilinear
from dysample.workbench.look import show
from dysample.workbench.look.subject import look_at
from dysample.workbench.look.view import place_of
from support.look_runs import train


def texts(figure: Figure) -> str:
    """Everything that is written on it."""
    return "\n".join(text.get_text() for text in figure.texts)


def check_layout(figure: Figure) -> None:
    """Nothing leaves the sheet, and no two lines of text overlap."""
    figure.canvas.draw()
    boxes = [text.get_window_extent() for text in figure.texts if text.get_text()]
    width, height = figure.get_size_inches() * figure.dpi
    for i, box in enumerate(boxes):
        where = figure.texts[i].get_text()
        assert box.x0 >= 0, where
        assert box.x1 <= width, where
        assert box.y0 >= 0, where
        assert box.y1 <= height, where
        for j in range(i):
            other = boxes[j]
            apart = box.x1 <= other.x0 or other.x1 <= box.x0 or box.y1 <= other.y0 + 1
            assert apart or other.y1 <= box.y0 + 1, (where, figure.texts[j].get_text())


class Net(nn.Module):
    """An image to features at half its size, and up again."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.low = nn.Conv2d(3, 32, 2, stride=2)
        self.high = nn.Conv2d(3, 32, 1)
        self.up = create_upsampler(name, 32)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.up(self.low(image), self.high(image))


def test_all_four_rows_of_a_run(run_of: Callable[[str], Path]) -> None:
    figure = show(run_of("dysample"), "scene:3", pixel=(20, 31))
    check_layout(figure)
    found = texts(figure)
    for part in (
        "dysample: semantic on scenes, small model, plain head, 2 steps, seed 0",
        "scene:3, upsampler head.branches.2.0, 16x16 to 32x32, 32 channels",
        "What output pixel (10, 15) reads", "offset, group 4", "bilinear of them",
        "Errors at label boundaries", "Nearest and bilinear: trained alike", "wrong at a boundary",
    ):  # fmt: skip
        assert part in found


def test_errors_are_those_of_the_predictions(run_of: Callable[[str], Path]) -> None:
    subject = look_at(run_of("carafe"), "scene:3")
    assert list(subject.predictions) == ["nearest", "bilinear", "carafe"]
    own = look_at(run_of("nearest"), "scene:3")
    assert list(own.predictions) == ["bilinear", "nearest"]
    np.testing.assert_array_equal(subject.predictions["nearest"], own.predictions["nearest"])


@pytest.mark.parametrize(
    "name", ["nearest", "deconv", "carafe", "indexnet", "fade", "sapa_d", "dysample_s_plus"]
)
def test_every_kind_of_upsampler_in_a_module(name: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (24, 40, 3), np.uint8)
    figure = show(Net(name).train(), pixels)
    check_layout(figure)
    assert "up, 20x12 to 40x24" in texts(figure)
    assert "Errors" not in texts(figure)


def test_the_mode_of_a_module_is_left_as_it_was() -> None:
    model = Net("bilinear").train()
    show(model, "scene", inputs=(torch.randn(1, 3, 32, 32),))
    assert model.training


def test_an_upsampler_alone_with_its_features() -> None:
    up = DySample(8, groups=1)
    figure = show(up, "scene:1", inputs=(torch.randn(1, 8, 12, 12),), pixel=(0, 255))
    assert "What output pixel (0, 23) reads" in texts(figure)
    with pytest.raises(ValueError, match="`inputs` must be given: an upsampler takes features"):
        show(up, "scene:1")


@pytest.mark.parametrize("task", ["depth", "panoptic"])
def test_other_tasks(task: str, tmp_path: Path) -> None:
    figure = show(train(tmp_path, "dysample", task), "scene:2")
    check_layout(figure)
    assert ("Errors at label boundaries" in texts(figure)) == (task == "panoptic")
    assert ("No run with nearest or bilinear" in texts(figure)) == (task == "panoptic")


def test_a_file_with_labels(run_of: Callable[[str], Path], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    photo, label = tmp_path / "photo.jpg", tmp_path / "label.png"
    Image.fromarray(rng.integers(0, 256, (90, 160, 3), np.uint8)).save(photo)
    labels = np.zeros((90, 160), np.uint8)
    labels[:, 80:] = 3
    Image.fromarray(labels).save(label)
    subject = look_at(run_of("carafe"), photo, label=label)
    # The area of 64x64 in the photo's shape, in multiples of 32.
    assert subject.image.shape == (64, 96, 3)
    assert (subject.label == np.where(np.arange(96) < 48, 0, 3)).all()
    check_layout(show(run_of("carafe"), photo, label=labels, pixel=(89, 159)))
    labels[0, 0] = 8
    with pytest.raises(ValueError, match="must hold classes below 8, or 255, but holds 8"):
        look_at(run_of("carafe"), photo, label=labels)
    with pytest.raises(ValueError, match=r"must be \(90, 160\) uint8 as the image"):
        look_at(run_of("carafe"), photo, label=labels[1:])
    with pytest.raises(ValueError, match="that of scene:0 is known"):
        look_at(run_of("carafe"), "scene", label=labels)
    with pytest.raises(ValueError, match="it is for runs of the workbench"):
        look_at(Net("carafe"), photo, label=labels)


def test_pixels_outside_and_sites_that_are_none(run_of: Callable[[str], Path]) -> None:
    with pytest.raises(ValueError, match=r"`pixel` column \(=64\) must be from 0 to 63"):
        show(run_of("carafe"), "scene", pixel=(0, 64))
    with pytest.raises(ValueError, match=r"`pixel` row \(=-1\) must be from 0 to 63"):
        show(run_of("carafe"), "scene", pixel=(-1, 0))
    with pytest.raises(ValueError, match=r"must be one of head\.branches\.0\.0, head"):
        show(run_of("carafe"), "scene", site="head")
    figure = show(run_of("carafe"), "scene", site="head.branches.0.1")
    assert "head.branches.0.1, 8x8 to 16x16" in texts(figure)


def test_without_a_pixel_it_is_where_interpolations_differ_most() -> None:
    x = torch.zeros(1, 8, 16, 16)
    x[:, :, :, 10:] = 1
    x[:, :, 5, 10:] = 9
    subject = look_at(DySample(8), "scene", inputs=(x,))
    row, column = place_of(subject, None)
    assert (row // 2, column // 2) in {(5, 9), (5, 10)}


def test_a_notebook_shows_it() -> None:
    figure: Any = show(DySample(8), "scene", inputs=(torch.randn(1, 8, 8, 8),))
    assert figure._repr_png_().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        (5, {}, r"^`model` \(=5\) must be a module, a folder or a file, or an upsampler's name$"),
        ("dysampel", {}, r"^`model` \(=dysampel\) does not exist; did you mean dysample\?$"),
        ("no/such", {}, r"^`model` \(=no/such\) does not exist, nor is it the name of an ups"),
        ("dysample", {"pixel": (1.5, 2)}, r"^`pixel` \(=\(1.5, 2\)\) must be two integers"),
        ("dysample", {"pixel": 3}, r"^`pixel` \(=3\) must be two integers \(row, column\)$"),
        ("dysample", {"label": np.zeros((2, 2))}, "^`label` must be left out: that of scene:1 is"),
        (Bilinear(4), {"inputs": torch.zeros(1, 4, 2, 2)}, "^`inputs` must be a tuple of argument"),
        (Bilinear(4), {"inputs": (torch.full((1, 4, 2, 2), torch.nan),)}, "must give finite feat"),
    ],
)
def test_mistakes_are_told_before_anything_is_trained(
    monkeypatch: pytest.MonkeyPatch, model: Any, options: dict[str, Any], message: str
) -> None:
    monkeypatch.setattr("dysample.workbench.look.subject.quick_model", None)
    with pytest.raises((ValueError, TypeError, FileNotFoundError), match=message):
        show(model, "scene:1", **options)
