"""The model that a command line names."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from dysample import CARAFE
from dysample.cli.target import find_model
from support.refusals import refused


def test_an_upsampler_by_its_name() -> None:
    up, args = find_model("carafe", [], half=False)
    assert type(up) is CARAFE
    assert not up.training
    assert [tuple(x.shape) for x in args] == [(2, 64, 16, 24)]
    up, args = find_model("sapa_b", [], half=False)
    assert [tuple(x.shape) for x in args] == [(2, 64, 16, 24), (2, 64, 32, 48)]
    up, args = find_model("sapa_b", ["1x32x4x4", "1x64x8x8"], half=True)
    assert (up.in_channels, up.guide_channels) == (32, 64)
    assert {x.dtype for x in args} == {next(up.parameters()).dtype} == {torch.float16}


def test_a_checkpoint_in_half_precision(tmp_path: Path) -> None:
    path = tmp_path / "best.pt"
    torch.save({"epoch": -1, "model": None, "ema": nn.Conv2d(3, 4, 1).half()}, path)
    model, args = find_model(str(path), ["1x3x4x4"], half=False, trust=True)
    assert not model.training
    assert model(*args).dtype == torch.float32
    with refused(r"best\.pt\) must be trusted"):
        find_model(str(path), ["1x3x4x4"], half=False)


def test_a_factory_keeps_its_pretrained_weights(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "my_exported.py").write_text(
        "import torch\ndef make(pretrained=True):\n    assert pretrained\n"
        "    return torch.nn.Conv2d(3, 4, 1)\n"
    )
    monkeypatch.chdir(tmp_path)
    model, args = find_model("my_exported:make", ["1x3x4x4"], half=False)
    assert model(*args).shape == (1, 4, 4, 4)


@pytest.mark.parametrize(
    ("name", "inputs", "match"),
    [
        ("carafee", [], r"^`name` \(='carafee'\) must be a known upsampler: did you mean carafe"),
        ("carafe", ["1x3x4"], r"^`--input` \(='1x3x4'\) must be a shape such as"),
        ("carafe", ["1x3x4x0"], r"^`--input` \(='1x3x4x0'\) must be a shape such as"),
        ("no.module:make", ["1x3x4x4"], r"^`model` \(=no.module:make\): no module no"),
        ("nothing.pt", ["1x3x4x4"], r"^`model` \(=nothing.pt\) must be a folder or a file that ex"),
        ("carafe", ["1x3x9999999x9999999"], r"^`--input` \(=1x3x9999999x9999999\) must fit into"),
        ("torch.nn:Identity", [], r"^`--input` must be given: the shapes that torch.nn:Identity"),
    ],
)
def test_mistakes_are_named(name: str, inputs: list[str], match: str) -> None:
    with refused(match):
        find_model(name, inputs, half=False)
