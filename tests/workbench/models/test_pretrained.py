"""Weights of the papers' encoders from files; nothing is downloaded."""

from pathlib import Path

import pytest
import torch
import torchvision
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

from dysample.workbench.models import pretrained
from dysample.workbench.models.pretrained import fill_maskformer, fill_resnet, fill_transformer
from dysample.workbench.settings import PRETRAINED, settings_for
from dysample.workbench.tasks.by_name import task_class

SWIN = {"embed_dim": 8, "depths": (1, 1, 1, 1), "num_heads": (1, 1, 1, 1), "window_size": 2}
MIT = {"hidden_sizes": (8, 8, 16, 16), "depths": (1, 1, 1, 1), "decoder_hidden_size": 8}
STAGES = {"out_features": ["stage1", "stage2", "stage3", "stage4"]}


def saved(model: torch.nn.Module, folder: Path) -> str:
    """As transformers writes it, in the names that files have always had."""
    model.save_pretrained(folder)
    return str(folder / "model.safetensors")


def test_segformer(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    whole = SegformerForImageClassification(SegformerConfig(**MIT))
    file = saved(whole, tmp_path)
    capfd.readouterr()
    body = SegformerModel(SegformerConfig(**MIT))
    fill_transformer(body, "segformer_b0", file)
    expected = whole.segformer.state_dict()
    assert body.state_dict().keys() == expected.keys()
    assert all(torch.equal(value, expected[key]) for key, value in body.state_dict().items())
    assert capfd.readouterr() == ("", "")


def test_swin(tmp_path: Path) -> None:
    whole = SwinForImageClassification(SwinConfig(**SWIN))
    body = SwinBackbone(SwinConfig(**SWIN, **STAGES))
    fill_transformer(body, "swin_tiny", saved(whole, tmp_path))
    expected = whole.swin.state_dict()
    found = body.swin.state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(value, expected[key]) for key, value in found.items())


@torch.no_grad()
def test_maskformer_has_the_same_features(tmp_path: Path) -> None:
    whole = SwinForImageClassification(SwinConfig(**SWIN)).eval()
    file = saved(whole, tmp_path)
    encoder = MaskFormerSwinBackbone(MaskFormerSwinConfig(**SWIN, **STAGES)).eval()
    fill_maskformer(encoder, "swin_tiny", file)
    body = SwinBackbone(SwinConfig(**SWIN, **STAGES)).eval()
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
    "swin": lambda file: fill_transformer(
        SwinBackbone(SwinConfig(**SWIN, **STAGES)), "swin_tiny", file
    ),
    "maskformer": lambda file: fill_maskformer(
        MaskFormerSwinBackbone(MaskFormerSwinConfig(**SWIN, **STAGES)), "swin_tiny", file
    ),
    "resnet": lambda file: fill_resnet(torchvision.models.resnet18(weights=None), 50, file),
}


@pytest.mark.parametrize("part", PARTS)
def test_weights_of_another_network(part: str, tmp_path: Path) -> None:
    torch.save({"foo.bar": torch.zeros(2)}, tmp_path / "w.pth")
    with pytest.raises(ValueError, match=r"weights .*w.pth do not fit the model: they lack") as got:
        PARTS[part](str(tmp_path / "w.pth"))
    assert "\n" not in str(got.value)


def test_another_size(tmp_path: Path) -> None:
    file = saved(SegformerForImageClassification(SegformerConfig(**MIT)), tmp_path)
    larger = SegformerConfig(**{**MIT, "hidden_sizes": (16, 16, 32, 32)})
    with pytest.raises(ValueError, match=r"model.safetensors do not fit the model: \S") as caught:
        fill_transformer(SegformerModel(larger), "segformer_b1", file)
    assert "\n" not in str(caught.value)


def test_a_failed_download_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("we could not\nconnect")

    monkeypatch.setattr("transformers.utils.hub.cached_file", fail)
    body = SwinBackbone(SwinConfig(**SWIN, **STAGES))
    message = r"`weights` \(='pretrained'\): microsoft/swin-tiny-patch4-window7-224 cannot be "
    with pytest.raises(ValueError, match=message + "downloaded: we could not connect$"):
        fill_transformer(body, "swin_tiny", PRETRAINED)
    monkeypatch.setattr("torch.hub.load_state_dict_from_url", fail)
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", fail)
    message = r"ResNet50_Weights.IMAGENET1K_V1 cannot be downloaded: we could not connect$"
    with pytest.raises(ValueError, match=message):
        fill_resnet(torch.nn.Identity(), 50, PRETRAINED)


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
    body = SwinBackbone(SwinConfig(**SWIN, **STAGES))
    fill_transformer(body, "swin_base", PRETRAINED)
    assert torch.equal(body.swin.layernorm.bias, whole.swin.layernorm.bias)
    found, expected = (one.embeddings.patch_embeddings for one in (body.swin, whole.swin))
    assert torch.equal(found.projection.weight, expected.projection.weight)


def test_every_model_has_a_place_to_load_from() -> None:
    semantic, depth = (settings_for(task, "scenes").models for task in ("semantic", "depth"))
    names = {*depth, *(name.removeprefix("maskformer_") for name in semantic)}
    assert names == set(pretrained.REPOSITORIES)
