"""The model that a command line names."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from dysample import CARAFE, hub
from dysample.export.target import find_model


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


def test_a_saved_folder(tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    hub.save_pretrained(CARAFE(8), tmp_path)
    up, args = find_model(str(tmp_path), ["1x8x4x4"], half=False)
    assert up(*args).shape == (1, 8, 8, 8)


def test_a_factory_of_the_working_folder(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "my_exported.py").write_text(
        "import torch\ndef make(): return torch.nn.Conv2d(3, 4, 1)\ndef number(): return 3\n"
    )
    monkeypatch.chdir(tmp_path)
    model, args = find_model("my_exported:make", ["1x3x4x4"], half=False)
    assert model(*args).shape == (1, 4, 4, 4)
    with pytest.raises(TypeError, match=r"^`model` \(=my_exported:number\) must make a module"):
        find_model("my_exported:number", ["1x3x4x4"], half=False)
    with pytest.raises(
        ValueError, match=r"^`model` \(=my_exported:none\): my_exported has no callable none"
    ):
        find_model("my_exported:none", ["1x3x4x4"], half=False)


@pytest.mark.parametrize(
    ("name", "inputs", "match"),
    [
        ("carafee", [], r"^`name` \(='carafee'\) must be a known upsampler: did you mean carafe"),
        ("carafe", ["1x3x4"], r"^`--input` \(='1x3x4'\) must be a shape such as"),
        ("carafe", ["1x3x4x0"], r"^`--input` \(='1x3x4x0'\) must be a shape such as"),
        ("no.module:make", ["1x3x4x4"], r"^`model` \(=no.module:make\): no module no"),
        ("torch.nn:Identity", [], r"^`--input` must be given: the shapes that torch.nn:Identity"),
    ],
)
def test_mistakes_are_named(name: str, inputs: list[str], match: str) -> None:
    with pytest.raises(ValueError, match=match) as error:
        find_model(name, inputs, half=False)
    assert "\n" not in str(error.value)
