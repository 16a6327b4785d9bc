from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from dysample.workbench.models.weights import fill, read_weights

STATE = {"weight": torch.tensor([[1.0, 2.0]]), "bias": torch.tensor([3.0])}


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
def test_both_formats(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    (save_file if name.endswith("safetensors") else torch.save)(STATE, path)
    found = read_weights(str(path))
    assert found.keys() == STATE.keys()
    part = nn.Linear(2, 1)
    fill(part, found, "w")
    assert torch.equal(part.weight, STATE["weight"])
    assert torch.equal(part.bias, STATE["bias"])


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _text(path: Path) -> None:
    path.write_text("no weights")


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
@pytest.mark.parametrize("damage", [_cut, _empty, _text])
def test_a_damaged_file_is_refused_by_name(name: str, damage: Callable, tmp_path: Path) -> None:
    path = tmp_path / name
    (save_file if name.endswith("safetensors") else torch.save)(STATE, path)
    damage(path)
    with pytest.raises(ValueError, match=rf"weights file .*{name} cannot be read: \S") as caught:
        read_weights(path)
    assert "\n" not in str(caught.value)


class Harmful:
    """Its pickle would call a function."""

    def __reduce__(self) -> tuple:
        return Path.touch, (Path("harmed"),)


def test_no_code_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"weight": Harmful()}, tmp_path / "w.pth")
    with pytest.raises(ValueError, match="cannot be read"):
        read_weights(tmp_path / "w.pth")
    assert not (tmp_path / "harmed").exists()


@pytest.mark.parametrize("content", [{}, [1], {"model": STATE}, {"epoch": 3}])
def test_something_else(content: object, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(ValueError, match=r"weights file .*w.pth must hold a state dict: tensors"):
        read_weights(tmp_path / "w.pth")


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"weights file .*w.pth does not exist"):
        read_weights(tmp_path / "w.pth")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bias": None}, "weights w do not fit the model: they lack bias, which it needs"),
        ({"fc.a": STATE["bias"]}, "they hold fc.a, which it does not have"),
        (
            {"fc.a": STATE["bias"], "fc.b": STATE["bias"], "fc.c": STATE["bias"]},
            "they hold fc.a and 2 more that it does not have",
        ),
        ({"weight": torch.zeros(2, 2)}, "weights w do not fit the model: size mismatch for weight"),
    ],
)
def test_weights_of_something_else(change: dict, message: str) -> None:
    weights = {name: value for name, value in {**STATE, **change}.items() if value is not None}
    with pytest.raises(ValueError, match=message) as caught:
        fill(nn.Linear(2, 1), weights, "w")
    assert "\n" not in str(caught.value)


def test_names_that_may_be_unused_or_new() -> None:
    layer = nn.Linear(2, 1)
    bias = layer.bias.clone()
    fill(
        layer, {"weight": STATE["weight"], "fc.a": STATE["bias"]}, "w", unused="fc\\.", new="bias$"
    )
    assert torch.equal(layer.weight, STATE["weight"])
    assert torch.equal(layer.bias, bias)
