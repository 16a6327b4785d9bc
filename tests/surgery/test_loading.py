from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from dysample.surgery import loading

MINE = """
import torch
from torch import Tensor, nn
class Listed(nn.Module):
    def forward(self, images: list[Tensor]):
        return images
def plain(weights="download", encoder_weights="download", pretrained=True):
    assert (weights, encoder_weights, pretrained) == (None, None, False)
    return nn.Sequential(nn.Conv2d(3, 8, 1), nn.Upsample(scale_factor=2), nn.Conv2d(8, 2, 1))
def needy(channels):
    return plain()
def wrong():
    return 3
built = Listed()
value = 3
"""


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "my_models.py").write_text(MINE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "my_models", raising=False)
    return "my_models"


def test_factory_class_and_instance_of_one_s_own_module(mine: str) -> None:
    assert isinstance(loading.load_model(f"{mine}:plain"), nn.Sequential)
    built = loading.load_model(f"{mine}:built")
    assert type(built) is type(loading.load_model(f"{mine}:Listed"))
    (image,) = loading.example_for(built, 5, 7)
    assert image.shape == (3, 5, 7)
    assert loading.example_for(loading.load_model(f"{mine}:plain"), 5, 7).shape == (1, 3, 5, 7)


@pytest.mark.parametrize(
    ("address", "error", "match"),
    [
        ("nothing.pt", ValueError, r"\(=nothing.pt\) must be package.module:factory or a file"),
        ("my_modles:plain", ValueError, "no module my_modles"),
        ("my_models:palin", ValueError, "my_models has no callable palin"),
        ("my_models:value", ValueError, "my_models has no callable value"),
        ("my_models:needy", ValueError, "must need no argument: `channels`"),
        ("my_models:wrong", TypeError, "must be a torch.nn.Module, not <class 'int'>"),
    ],
)
def test_mistakes(mine: str, address: str, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        loading.load_model(address)


def test_a_file_is_loaded_only_if_it_is_trusted(mine: str, tmp_path: Path) -> None:
    torch.save(loading.load_model(f"{mine}:plain"), tmp_path / "model.pt")
    with pytest.raises(ValueError, match=r"model\.pt\) must be trusted"):
        loading.load_model(str(tmp_path / "model.pt"))
    assert isinstance(loading.load_model(str(tmp_path / "model.pt"), trust=True), nn.Sequential)
    torch.save({}, tmp_path / "weights.pt")
    with pytest.raises(TypeError, match="must hold a model, not weights"):
        loading.load_model(str(tmp_path / "weights.pt"), trust=True)
