import pytest
import torch
from torch import nn

from dysample.registry import create_upsampler
from dysample.workbench.models.build import build_depth_estimator
from dysample.workbench.models.depth_decoder import DepthDecoder
from dysample.workbench.models.encoder import CHANNELS
from dysample.workbench.settings import settings_for
from support.models import Recorder, check_same_but_upsamplers
from support.refusals import refused


def _inputs() -> tuple[list[torch.Tensor], torch.Tensor]:
    sizes = [(19, 33), (10, 17), (5, 9), (3, 5)]
    maps = [torch.randn(2, c, *size) for c, size in zip(CHANNELS, sizes)]
    return maps, torch.randn(2, 3, 37, 65)


@pytest.mark.parametrize("skip", [False, True])
def test_climbs_to_the_image_guided_by_the_skips(skip: bool) -> None:
    ups = [Recorder() for _ in range(4)]
    decoder = DepthDecoder(CHANNELS, nn.Conv2d(3, 8, 3, padding=1), 8, ups, skip=skip)
    maps, images = _inputs()
    depth = decoder(maps, images)
    assert depth.shape == (2, 37, 65)
    assert (depth > 0).all()
    guides = [decoder.project[level](maps[level]) for level in (2, 1, 0)]
    for up, guide in zip(ups, [*guides, decoder.stem(images)]):
        assert torch.equal(up.calls[0][1], guide)


@pytest.mark.parametrize("skip", [False, True])
def test_only_the_skip_shows_fine_maps_to_unguided_upsamplers(skip: bool) -> None:
    ups = [create_upsampler("bilinear", 8) for _ in range(4)]
    decoder = DepthDecoder(CHANNELS, nn.Conv2d(3, 8, 3, padding=1), 8, ups, skip=skip).eval()
    maps, images = _inputs()
    finest = [torch.randn_like(maps[0]), *maps[1:]]
    assert torch.equal(decoder(maps, images), decoder(finest, images)) is not skip
    assert torch.equal(decoder(maps, images), decoder(maps, -images)) is not skip
    kernels = {m.kernel_size for m in decoder.merge.modules() if isinstance(m, nn.Conv2d)}
    assert kernels == {(3, 3) if skip else (1, 1)}


def test_number_of_upsamplers() -> None:
    with refused(r"`upsamplers` \(=1\) must be 4 modules"):
        DepthDecoder(CHANNELS, nn.Conv2d(3, 8, 3, padding=1), 8, [Recorder()], skip=False)


def test_models_of_one_seed_differ_in_the_upsamplers_alone() -> None:
    settings = settings_for("depth", "scenes", width=16)
    check_same_but_upsamplers(
        lambda name: build_depth_estimator(name, {}, settings, 3), "nearest", "carafe"
    )
