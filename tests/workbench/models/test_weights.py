"""Weights from files, those of the papers' encoders too; nothing is downloaded."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torch import nn
from torchvision.models._utils import IntermediateLayerGetter
from transformers import (
    SegformerConfig,
    SegformerForImageClassification,
    SegformerModel,
    SwinBackbone,
    SwinConfig,
    SwinForImageClassification,
)
from transformers.models.maskformer.configuration_maskformer_swin import MaskFormerSwinConfig
from transformers.models.maskformer.modeling_maskformer_swin import MaskFormerSwinBackbone

from dysample.workbench.models.weights import (
    REPOSITORIES,
    fill,
    fill_maskformer,
    fill_resnet,
    fill_transformer,
    read_weights,
)
from dysample.workbench.settings import PRETRAINED, settings_for
from dysample.workbench.tasks.by_name import task_class
from support.refusals import refused

STATE = {"weight": torch.tensor([[1.0, 2.0]]), "bias": torch.tensor([3.0])}


def written(path: Path) -> Path:
    (save_file if path.suffix == ".safetensors" else torch.save)(STATE, path)
    return path


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
def test_both_formats(name: str, tmp_path: Path) -> None:
    path = written(tmp_path / name)
    found = read_weights(str(path))
    assert found.keys() == STATE.keys()
    part = nn.Linear(2, 1)
    fill(part, found, "w")
    assert torch.equal(part.weight, STATE["weight"])
    assert torch.equal(part.bias, STATE["bias"])


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
@pytest.mark.parametrize("damage", [lambda b: b[:-20], lambda b: b"", lambda b: b"no weights"])
def test_a_damaged_file_is_refused_by_name(name: str, damage: Callable, tmp_path: Path) -> None:
    path = written(tmp_path / name)
    path.write_bytes(damage(path.read_bytes()))
    with refused(rf"weights file .*{name} cannot be read: \S"):
        read_weights(path)


class Harmful:
    """Its pickle would call a function."""

    def __reduce__(self) -> tuple:
        return Path.touch, (Path("harmed"),)


def test_no_code_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"weight": Harmful()}, tmp_path / "w.pth")
    with refused("cannot be read"):
        read_weights(tmp_path / "w.pth")
    assert not (tmp_path / "harmed").exists()


@pytest.mark.parametrize("content", [{}, [1], {"model": STATE}, {"epoch": 3}])
def test_something_else(content: object, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "w.pth")
    with refused(r"weights file .*w.pth must hold a state dict: tensors"):
        read_weights(tmp_path / "w.pth")


def test_no_file(tmp_path: Path) -> None:
    with refused(r"weights file .*w.pth does not exist", FileNotFoundError):
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
    with refused(message):
        fill(nn.Linear(2, 1), weights, "w")


def test_names_that_may_be_unused_or_new() -> None:
    layer = nn.Linear(2, 1)
    bias = layer.bias.clone()
    fill(
        layer, {"weight": STATE["weight"], "fc.a": STATE["bias"]}, "w", unused="fc\\.", new="bias$"
    )
    assert torch.equal(layer.weight, STATE["weight"])
    assert torch.equal(layer.bias, bias)


SWIN = {"embed_dim": 8, "depths": (1, 1, 1, 1), "num_heads": (1, 1, 1, 1), "window_size": 2}
MIT = {"hidden_sizes": (8, 8, 16, 16), "depths": (1, 1, 1, 1), "decoder_hidden_size": 8}
STAGES = {"out_features": ["stage1", "stage2", "stage3", "stage4"]}


def saved(model: nn.Module, folder: Path) -> str:
    """As transformers writes it, in the names that files have always had."""
    model.save_pretrained(folder)
    return str(folder / "model.safetensors")


def check_same(found: nn.Module, expected: nn.Module) -> None:
    states = found.state_dict(), expected.state_dict()
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(value, states[1][key]) for key, value in states[0].items())


def swin() -> SwinBackbone:
    return SwinBackbone(SwinConfig(**SWIN, **STAGES))


def maskformer_swin() -> MaskFormerSwinBackbone:
    return MaskFormerSwinBackbone(MaskFormerSwinConfig(**SWIN, **STAGES))


def test_segformer(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    whole = SegformerForImageClassification(SegformerConfig(**MIT))
    file = saved(whole, tmp_path)
    capfd.readouterr()
    body = SegformerModel(SegformerConfig(**MIT))
    fill_transformer(body, "segformer_b0", file)
    check_same(body, whole.segformer)
    assert capfd.readouterr() == ("", "")


def test_swin(tmp_path: Path) -> None:
    whole = SwinForImageClassification(SwinConfig(**SWIN))
    body = swin()
    fill_transformer(body, "swin_tiny", saved(whole, tmp_path))
    check_same(body.swin, whole.swin)


@torch.no_grad()
def test_maskformer_has_the_same_features(tmp_path: Path) -> None:
    whole = SwinForImageClassification(SwinConfig(**SWIN)).eval()
    file = saved(whole, tmp_path)
    encoder = maskformer_swin().eval()
    fill_maskformer(encoder, "swin_tiny", file)
    body = swin().eval()
    fill_transformer(body, "swin_tiny", file)
    images = torch.rand(1, 3, 32, 32)
    for ours, expected in zip(encoder(images).feature_maps, body(images).feature_maps):
        torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-4)


def test_resnet_without_its_classifier(tmp_path: Path) -> None:
    whole = torchvision.models.resnet50(weights=None)
    torch.save(whole.state_dict(), tmp_path / "resnet50.pth")
    settings = settings_for(
        "detection", "scenes", model="r50", weights=str(tmp_path / "resnet50.pth"), size=48
    )
    kind = task_class("detection")
    model = kind.build_model("nearest", {}, kind.describe("scenes", settings), settings, 0)
    body = model.backbone.body
    assert isinstance(body, IntermediateLayerGetter)
    assert torch.equal(body.layer3[2].conv1.weight, whole.layer3[2].conv1.weight)
    assert torch.equal(body.bn1.running_var, whole.bn1.running_var)
    trained = {name.split(".")[0] for name, p in body.named_parameters() if p.requires_grad}
    assert trained == {"layer2", "layer3", "layer4"}


PARTS = {
    "segformer": lambda file: fill_transformer(
        SegformerModel(SegformerConfig(**MIT)), "segformer_b0", file
    ),
    "swin": lambda file: fill_transformer(swin(), "swin_tiny", file),
    "maskformer": lambda file: fill_maskformer(maskformer_swin(), "swin_tiny", file),
    "resnet": lambda file: fill_resnet(torchvision.models.resnet18(weights=None), 50, file),
}


@pytest.mark.parametrize("part", PARTS)
def test_weights_of_another_network(part: str, tmp_path: Path) -> None:
    torch.save({"foo.bar": torch.zeros(2)}, tmp_path / "w.pth")
    with refused(r"weights .*w.pth do not fit the model: they lack"):
        PARTS[part](str(tmp_path / "w.pth"))


def test_another_size(tmp_path: Path) -> None:
    file = saved(SegformerForImageClassification(SegformerConfig(**MIT)), tmp_path)
    larger = SegformerConfig(**{**MIT, "hidden_sizes": (16, 16, 32, 32)})
    with refused(r"model.safetensors do not fit the model: \S"):
        fill_transformer(SegformerModel(larger), "segformer_b1", file)


def test_a_failed_download_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("we could not\nconnect")

    monkeypatch.setattr("transformers.utils.hub.cached_file", fail)
    body = swin()
    message = r"`weights` \(='pretrained'\): microsoft/swin-tiny-patch4-window7-224 cannot be "
    with refused(message + "downloaded: we could not connect$"):
        fill_transformer(body, "swin_tiny", PRETRAINED)
    monkeypatch.setattr("torch.hub.load_state_dict_from_url", fail)
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", fail)
    message = r"ResNet50_Weights.IMAGENET1K_V1 cannot be downloaded: we could not connect$"
    with refused(message):
        fill_resnet(nn.Identity(), 50, PRETRAINED)


def test_older_uploads_have_the_other_format(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = SwinForImageClassification(SwinConfig(**SWIN))
    torch.save(whole.state_dict(), tmp_path / "pytorch_model.bin")

    def cached(repository: str, file: str) -> str:
        assert repository == "microsoft/swin-base-patch4-window12-384-in22k"
        if file == "model.safetensors":
            raise OSError("no such file")
        return str(tmp_path / file)

    monkeypatch.setattr("transformers.utils.hub.cached_file", cached)
    body = swin()
    fill_transformer(body, "swin_base", PRETRAINED)
    assert torch.equal(body.swin.layernorm.bias, whole.swin.layernorm.bias)
    found, expected = (one.embeddings.patch_embeddings for one in (body.swin, whole.swin))
    assert torch.equal(found.projection.weight, expected.projection.weight)


def test_every_model_has_a_place_to_load_from() -> None:
    semantic, depth = (settings_for(task, "scenes").models for task in ("semantic", "depth"))
    names = {*depth, *(name.removeprefix("maskformer_") for name in semantic)}
    assert names == set(REPOSITORIES)
