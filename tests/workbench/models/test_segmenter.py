from collections.abc import Callable

import pytest
import torch
from torch import nn

from dysample.registry import create_upsampler
from dysample.workbench.models.build import build_segmenter, find_upsamplers
from dysample.workbench.models.encoder import CHANNELS, STRIDES, Encoder
from dysample.workbench.models.segformer_head import SegFormerHead
from support.models import Recorder, check_same_but_upsamplers
from support.refusals import refused


def test_encoder() -> None:
    encoder = Encoder()
    assert 400_000 < sum(p.numel() for p in encoder.parameters()) < 600_000
    maps = encoder(torch.zeros(2, 3, 37, 64))
    assert [m.shape[1] for m in maps] == list(CHANNELS)
    assert [tuple(m.shape[-2:]) for m in maps] == [(-(-37 // s), 64 // s) for s in STRIDES]


@pytest.mark.parametrize("skip", [False, True])
def test_wiring(skip: bool) -> None:
    ups = [Recorder() for _ in range(6)]
    head = SegFormerHead(CHANNELS, 8, 5, ups, skip=skip)
    sizes = [(19, 33), (10, 17), (5, 9), (3, 5)]  # odd: 2x would miss them
    maps = [torch.randn(2, c, *size) for c, size in zip(CHANNELS, sizes)]
    c1, c2, c3, c4 = (layer(x) for layer, x in zip(head.project, maps))
    assert head(maps).shape == (2, 5, 19, 33)
    assert head.fuse[0].in_channels == (32 if skip else 24)
    # Three steps for c4, two for c3, one for c2, each guided by the projected map of its target.
    for up, (start, guide) in zip(
        ups, [(c4, c3), (None, c2), (None, c1), (c3, c2), (None, c1), (c2, c1)]
    ):
        ((x, seen, size),) = up.calls
        assert torch.equal(seen, guide)
        assert size == tuple(guide.shape[-2:])
        if start is not None:
            assert torch.equal(x, start)
    assert find_upsamplers(head) == ups


def test_only_the_skip_shows_the_finest_map_to_unguided_upsamplers() -> None:
    torch.manual_seed(0)
    for skip in (False, True):
        head = SegFormerHead(
            CHANNELS, 8, 5, [create_upsampler("bilinear", 8) for _ in range(6)], skip=skip
        ).eval()
        maps = [torch.randn(1, c, 16 // 2**i, 16 // 2**i) for i, c in enumerate(CHANNELS)]
        other = [torch.randn_like(maps[0]), *maps[1:]]
        assert torch.equal(head(maps), head(other)) is not skip


def test_nothing_after_the_upsamplers_sees_a_neighbour() -> None:
    head = SegFormerHead(CHANNELS, 8, 5, [Recorder() for _ in range(6)], skip=False)
    kernels = {m.kernel_size for m in head.modules() if isinstance(m, nn.Conv2d)}
    assert kernels == {(1, 1)}


def test_number_of_upsamplers() -> None:
    with refused(r"`upsamplers` \(=1\) must be 6 modules"):
        SegFormerHead(CHANNELS, 8, 5, [Recorder()], skip=True)


@pytest.mark.parametrize("head", ["plain", "skip"])
def test_models_of_one_seed_differ_in_the_upsamplers_alone(tiny: Callable, head: str) -> None:
    settings = tiny(head=head)
    first, other = (
        check_same_but_upsamplers(
            lambda name, seed=seed: build_segmenter(name, {}, 8, settings, seed),
            "nearest", "carafe", "deconv", inside="head.branches",
        )
        for seed in (3, 4)
    )  # fmt: skip
    assert not torch.equal(other["head.classify.weight"], first["head.classify.weight"])


def test_upsamplers_are_separate_and_repeatable(tiny: Callable) -> None:
    one, two = (build_segmenter("deconv", {}, 8, tiny(), 0) for _ in range(2))
    weights = [up.state_dict() for up in find_upsamplers(one)]
    assert len({id(up) for up in find_upsamplers(one)}) == 6
    for a, b in zip(weights, [up.state_dict() for up in find_upsamplers(two)]):
        assert all(torch.equal(a[k], b[k]) for k in a)
    name = next(k for k in weights[0] if k.endswith("weight"))
    assert not torch.equal(weights[0][name], weights[1][name])


def test_building_leaves_the_global_generator_alone(tiny: Callable) -> None:
    before = torch.get_rng_state()
    build_segmenter("carafe", {}, 8, tiny(), 0)
    assert torch.equal(torch.get_rng_state(), before)


def test_options_and_unknown_names(tiny: Callable) -> None:
    model = build_segmenter("dysample", {"groups": 2}, 8, tiny(), 0)
    assert find_upsamplers(model)[-1].groups == 2
    with refused("bilinear"):
        build_segmenter("bilinaer", {}, 8, tiny(), 0)


def test_scores_have_the_size_of_the_image(tiny: Callable) -> None:
    model = build_segmenter("dysample", {}, 8, tiny(), 0).eval()
    assert model(torch.zeros(2, 3, 45, 61)).shape == (2, 8, 45, 61)
