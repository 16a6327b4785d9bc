from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

import dysample
from dysample.surgery import load_upsamplers, replace_upsamplers, save_upsamplers
from support.surgery_net import IMAGE, Net, lively


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Path, nn.Module, nn.Module]:
    """A file of upsamplers, the model before surgery, and the one after."""
    model = Net().eval()
    new, report = replace_upsamplers(model, "dysample", groups=2, example_inputs=IMAGE)
    save_upsamplers(lively(new), report, tmp_path / "upsamplers.pt")
    return tmp_path / "upsamplers.pt", model, new


def test_round_trip(saved) -> None:
    path, model, new = saved
    again, report = load_upsamplers(model, path, example_inputs=IMAGE)
    assert [site.name for site in report.replaced] == ["block:0", "up", ":0"]
    assert again.up.groups == 2
    assert torch.equal(again(IMAGE), new(IMAGE))
    assert not torch.allclose(again(IMAGE), model(IMAGE), atol=1e-4)


def test_beside_what_transformers_saves(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    transformers.logging.set_verbosity_error()
    config = transformers.SegformerConfig(
        hidden_sizes=[8, 8, 16, 16],
        depths=[1] * 4,
        num_attention_heads=[1, 1, 2, 2],
        decoder_hidden_size=16,
    )
    model = transformers.SegformerForSemanticSegmentation(config).eval()
    images = torch.rand(1, 3, 64, 64)
    new, report = replace_upsamplers(model, "dysample", example_inputs=images)
    lively(new).save_pretrained(tmp_path)
    save_upsamplers(new, report, tmp_path / "upsamplers.pt")
    stock = transformers.AutoModelForSemanticSegmentation.from_pretrained(tmp_path)
    again, _ = load_upsamplers(stock, tmp_path / "upsamplers.pt", example_inputs=images)
    assert torch.equal(again(images).logits, new(images).logits)
    assert not torch.equal(stock(images).logits, new(images).logits)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"`path` \(=.*none.pt\) must exist"):
        load_upsamplers(Net(), tmp_path / "none.pt", example_inputs=IMAGE)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x80\x02]q\x00."])
def test_a_file_that_is_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "upsamplers.pt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"upsamplers.pt` must be a file of `save_upsamplers`"):
        load_upsamplers(Net(), path, example_inputs=IMAGE)


def test_a_file_cannot_run_code(tmp_path: Path) -> None:
    torch.save(Net(), tmp_path / "upsamplers.pt")
    with pytest.raises(ValueError, match=r"must be a file of `save_upsamplers`: UnpicklingError"):
        load_upsamplers(Net(), tmp_path / "upsamplers.pt", example_inputs=IMAGE)


def test_values_of_the_wrong_kind(saved) -> None:
    path, model, _ = saved
    content = torch.load(path, weights_only=True)
    torch.save({**content, "channels": [8]}, path)
    with pytest.raises(ValueError, match=r"upsamplers.pt`: `channels` must be a dict, not \[8\]"):
        load_upsamplers(model, path, example_inputs=IMAGE)


def test_another_model(saved) -> None:
    path, _, _ = saved
    other = Net()
    other.up = nn.Identity()
    with pytest.raises(ValueError, match=r"`model` \(Net\) must have the steps of .*upsamplers.pt"):
        load_upsamplers(other, path, example_inputs=IMAGE)


def test_weights_that_do_not_fit(saved) -> None:
    path, model, _ = saved
    content = torch.load(path, weights_only=True)
    del content["weights"]["up"]["offset.bias"]
    torch.save(content, path)
    with pytest.raises(ValueError, match=r"must hold the weights of up: RuntimeError"):
        load_upsamplers(model, path, example_inputs=IMAGE)


def test_what_cannot_be_saved(tmp_path: Path) -> None:
    model = Net()
    _, report = replace_upsamplers(model, "dysample", example_inputs=IMAGE, dry_run=True)
    with pytest.raises(ValueError, match=r"`model` \(Net\) must be the one that `report` is of"):
        save_upsamplers(model, report, tmp_path / "upsamplers.pt")
    with pytest.raises(FileNotFoundError, match="`path` must lie in a folder that exists"):
        save_upsamplers(model, report, tmp_path / "none" / "upsamplers.pt")
    _, report = replace_upsamplers(model, "fade", example_inputs=IMAGE, dry_run=True)
    with pytest.raises(ValueError, match=r"`report` must have replaced a step: .*no recipe knows"):
        save_upsamplers(model, report, tmp_path / "upsamplers.pt")
    assert list(tmp_path.iterdir()) == []
    assert dysample.surgery.load_upsamplers is load_upsamplers
