import pytest
import torch

from dysample.workbench.costs.models import model_parameters
from dysample.workbench.models.build import find_upsamplers
from dysample.workbench.models.swin import SwinEncoder, build_swin_depth, swin_config
from support.models import check_same_but_upsamplers
from support.refusals import refused


def test_encoder() -> None:
    encoder = SwinEncoder("tiny")
    # Swin-T has 27.5 M without its classifier; ours has a norm for each of the finer stages too.
    assert model_parameters(encoder)["total"] / 1e6 == pytest.approx(27.52, abs=0.01)
    maps = encoder(torch.randn(1, 3, 70, 90))
    assert [x.shape[1] for x in maps] == [96, 192, 384, 768] == encoder.channels
    assert [tuple(x.shape[-2:]) for x in maps] == [(18, 23), (9, 12), (5, 6), (3, 3)]


def test_one_step_at_a_size_that_32_does_not_divide() -> None:
    model = build_swin_depth("tiny", "dysample", {}, 0)
    depth = model(torch.randn(1, 3, 70, 90))
    assert depth.shape == (1, 70, 90)
    assert (depth > 0).all()
    depth.log().abs().mean().backward()
    ups = find_upsamplers(model)
    assert len(ups) == 4
    assert all(up.offset.weight.grad.abs().max() > 0 for up in ups)


def test_runs_of_one_seed_differ_in_the_upsamplers_alone() -> None:
    check_same_but_upsamplers(
        lambda name: build_swin_depth("tiny", name, {}, 3), "nearest", "dysample"
    )


def test_unknown_size() -> None:
    with refused(r"`swin` \(='huge'\) must be one of tiny, small"):
        swin_config("huge")
