"""The model that a user names."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from dysample import CARAFE, hub
from dysample.workbench.resolver import image_for, random_input, resolve_model
from support.refusals import refused

MINE = """
import torch
from torch import Tensor, nn
class Listed(nn.Module):
    def forward(self, images: list[Tensor]):
        return images
def plain(weights="download", encoder_weights="download", pretrained=True):
    assert (weights, encoder_weights, pretrained) == (None, None, False)
    return nn.Sequential(nn.Conv2d(3, 8, 1), nn.Upsample(scale_factor=2), nn.Conv2d(8, 2, 1))
def loaded(weights="download", pretrained=True):
    assert (weights, pretrained) == ("download", True)
    return nn.Identity()
def needy(channels):
    return plain()
def wrong():
    return 3
def raises():
    raise RuntimeError("two\\nlines")
def stops():
    raise SystemExit(3)
built = Listed()
value = 3
"""


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "my_models.py").write_text(MINE)
    (tmp_path / "my_typo.py").write_text("def make(:\n")
    (tmp_path / "my_script.py").write_text("import sys\nsys.exit('usage: my_script')\n")
    (tmp_path / "my_failing.py").write_text("1 / 0\n")
    (tmp_path / "my_needing.py").write_text("import no_such_package\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "my_models", raising=False)
    return "my_models"


def test_factory_class_and_instance_of_one_s_own_module(mine: str) -> None:
    assert isinstance(resolve_model(f"{mine}:plain", pretrained=False), nn.Sequential)
    assert isinstance(resolve_model(f"{mine}:loaded"), nn.Identity)
    built = resolve_model(f"{mine}:built")
    assert type(built) is type(resolve_model(f"{mine}:Listed"))


def test_an_image_is_listed_where_the_model_says_so(mine: str) -> None:
    (image,) = image_for(resolve_model(f"{mine}:built"), 5, 7)
    assert image.shape == (3, 5, 7)
    assert image_for(nn.Identity(), 5, 7).shape == (1, 3, 5, 7)
    assert image_for(nn.Module(), 5, 7).shape == (1, 3, 5, 7)


@pytest.mark.parametrize(
    ("address", "error", "match"),
    [
        ("nothing.pt", ValueError, "must be a folder or a file that exists, or package.module:fac"),
        (":plain", ValueError, "must be a folder or a file that exists, or package.module:factory"),
        ("my_models:", ValueError, "must be a folder or a file that exists, or package.module:fac"),
        ("./my_models.py:plain", ValueError, r"\./my_models\.py is a path, not the name of a mod"),
        ("my_modles:plain", ValueError, "no module my_modles"),
        ("my_needing:make", ValueError, "no module no_such_package"),
        ("my_typo:make", ValueError, r"importing my_typo raises SyntaxError: .*my_typo.py, line 1"),
        ("my_script:make", ValueError, "importing my_script raises SystemExit: usage: my_script"),
        ("my_failing:make", ValueError, "importing my_failing raises ZeroDivisionError: division"),
        (".my_models:plain", ValueError, "importing .my_models raises TypeError"),
        ("my_models:palin", ValueError, "my_models has no callable palin"),
        ("my_models:value", ValueError, "my_models has no callable value"),
        ("my_models:needy", ValueError, "must need no argument: `channels`"),
        ("my_models:raises", ValueError, r"raises\(\) raises RuntimeError: two lines"),
        ("my_models:stops", ValueError, r"stops\(\) raises SystemExit: 3"),
        ("my_models:wrong", TypeError, "must make a module, not int"),
        ("builtins:dict", TypeError, "must make a module, not dict"),
        (".", FileNotFoundError, r"\(=\.\) must be the folder of a training or of dysample.hub"),
    ],
)
def test_mistakes(mine: str, address: str, error: type[Exception], match: str) -> None:
    with refused(match, error) as raised:
        resolve_model(address, pretrained=False)
    assert str(raised.value).startswith(f"`model` (={address})")


def test_a_saved_folder(tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    hub.save_pretrained(CARAFE(8), tmp_path)
    assert isinstance(resolve_model(str(tmp_path)), CARAFE)


def test_a_class_of_the_working_folder_is_found_by_a_pickle(mine: str, tmp_path: Path) -> None:
    torch.save(resolve_model(f"{mine}:built"), tmp_path / "model.pt")
    del sys.modules[mine]
    assert type(resolve_model("model.pt", trust=True)).__name__ == "Listed"


def test_a_random_input_fits_into_memory() -> None:
    assert random_input("--input", (2, 3, 4, 5)).shape == (2, 3, 4, 5)
    with refused(r"^`--input` \(=1x3x9999999x9999999\) must fit into mem"):
        random_input("--input", (1, 3, 9999999, 9999999))
