from collections import OrderedDict
from typing import Any

import pytest
import torch
from torchvision.models.detection import fasterrcnn_resnet50_fpn
from torchvision.ops import FeaturePyramidNetwork
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

from dysample.registry import create_upsampler
from dysample.surgery.recipes import install
from dysample.surgery.recipes.pyramid import UpsamplingPyramid
from support.models import Recorder

CHANNELS = [4, 6, 8, 10]
SIZES = [(23, 31), (12, 16), (6, 8), (3, 4)]  # odd: 2x would miss the finest


def _maps(sizes: list[tuple[int, int]] = SIZES) -> dict[str, torch.Tensor]:
    return OrderedDict(
        (f"level {i}", torch.randn(2, c, *size)) for i, (c, size) in enumerate(zip(CHANNELS, sizes))
    )


@pytest.mark.parametrize("extra", [None, LastLevelMaxPool()])
def test_with_nearest_it_is_the_stock_pyramid(extra: Any) -> None:
    pyramid = FeaturePyramidNetwork(CHANNELS, 8, extra)
    # At other ratios torch's nearest is not the pixel that lies nearest, ours is.
    maps = _maps([(24, 32), (12, 16), (6, 8), (3, 4)])
    expected = pyramid(maps)
    state = pyramid.state_dict()
    install(pyramid, {call: create_upsampler("nearest", 8) for call in range(3)})
    assert isinstance(pyramid, UpsamplingPyramid)
    assert pyramid.state_dict().keys() == state.keys()
    found = pyramid(maps)
    assert list(found) == list(expected)
    assert all(torch.equal(found[k], expected[k]) for k in expected)


def test_the_finer_lateral_is_the_guide() -> None:
    ups = [Recorder() for _ in range(3)]
    pyramid = FeaturePyramidNetwork(CHANNELS, 8)
    install(pyramid, dict(enumerate(ups)))
    maps = _maps()
    found = pyramid(maps)
    assert [tuple(x.shape[-2:]) for x in found.values()] == SIZES
    laterals = [block(x) for block, x in zip(pyramid.inner_blocks, maps.values())]
    assert torch.equal(ups[0].calls[0][0], laterals[3])
    for up, lateral in zip(ups, (laterals[2], laterals[1], laterals[0])):
        assert torch.equal(up.calls[0][1], lateral)


def test_number_of_upsamplers() -> None:
    with pytest.raises(ValueError, match=r"`upsamplers` \(=\[1\]\) must be .* \[0, 1, 2\]"):
        install(FeaturePyramidNetwork(CHANNELS, 8), {1: Recorder()})


def test_stock_weights_load_with_only_the_upsamplers_missing() -> None:
    stock = fasterrcnn_resnet50_fpn(weights=None, weights_backbone=None)
    weights = {k: v.clone() for k, v in stock.state_dict().items()}
    install(stock.backbone.fpn, {call: create_upsampler("dysample", 256) for call in range(3)})
    missing, unexpected = stock.load_state_dict(weights, strict=False)
    assert not unexpected
    assert missing
    assert all(key.startswith("backbone.fpn.upsamplers.") for key in missing)
