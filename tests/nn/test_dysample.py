from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from dysample import DySample, functional
from dysample.nn import Bilinear

pytestmark = pytest.mark.usefixtures("backend")


def published_state(style: str, groups: int, dyscope: bool, scale: int = 2, bias: bool = False):
    """A checkpoint as the published class writes it, for 32 channels."""
    channels, planes = (
        (32, 2 * groups * scale**2) if style == "lp" else (32 // scale**2, 2 * groups)
    )
    state = {
        "offset.weight": torch.randn(planes, channels, 1, 1),
        "offset.bias": torch.randn(planes),
        "init_pos": torch.empty(1, 2 * groups * scale**2, 1, 1),
    }
    for d in range(2):
        for g in range(groups):
            for i in range(scale):
                for j in range(scale):
                    entry = (2 * (j if d == 0 else i) + 1 - scale) / (2 * scale)
                    state["init_pos"][0, ((d * groups + g) * scale + i) * scale + j] = entry
    if dyscope:
        state["scope.weight"] = torch.randn(planes, channels, 1, 1)
        if bias:
            state["scope.bias"] = torch.randn(planes)
    return state


def test_calls_written_for_the_published_class() -> None:
    positional = DySample(64, 2, "pl", 8, True)
    by_scale = DySample(in_channels=64, scale=2, style="pl", groups=8, dyscope=True)
    by_factor = DySample(in_channels=64, scale_factor=2, style="pl", groups=8, dyscope=True)
    assert str(positional) == str(by_scale) == str(by_factor)
    assert DySample(64, scale=4).scale_factor == 4


def test_scale_and_scale_factor_are_one() -> None:
    with pytest.raises(ValueError, match=r"`scale` \(=4\) and `scale_factor` \(=3\) name the same"):
        DySample(64, 3, scale=4)


@pytest.mark.parametrize("style", ["lp", "pl"])
@pytest.mark.parametrize("dyscope", [False, True])
@pytest.mark.parametrize("scale", [2, 4])
def test_published_checkpoints_load(style: str, dyscope: bool, scale: int) -> None:
    state = published_state(style, 4, dyscope, scale)
    up = DySample(32, scale, style, 4, dyscope)
    up.load_state_dict(state)
    assert torch.equal(up.offset.weight, state["offset.weight"])
    assert sorted(up.state_dict()) == sorted(set(state) - {"init_pos"})


def test_published_checkpoints_load_inside_a_model() -> None:
    model = torch.nn.Sequential(torch.nn.Identity(), DySample(32, dyscope=True))
    state = published_state("lp", 4, True, bias=True)
    model.load_state_dict({f"1.{key}": value for key, value in state.items()})
    assert torch.equal(model[1].scope.bias, state["scope.bias"])


def test_scope_bias_of_forks_counts_and_goes_again() -> None:
    up, x = DySample(32, dyscope=True), torch.randn(1, 32, 4, 4)
    with_bias = published_state("lp", 4, True, bias=True)
    up.load_state_dict(with_bias)
    biased = up(x)
    again = DySample(32, dyscope=True)
    again.load_state_dict(up.state_dict())
    assert torch.equal(again(x), biased)
    up.load_state_dict({k: v for k, v in with_bias.items() if k != "scope.bias"})
    assert up.scope.bias is None
    assert not torch.equal(up(x), biased)


def test_half_precision_checkpoints_load() -> None:
    state = {k: v.bfloat16() for k, v in published_state("lp", 4, False, 4).items()}
    DySample(32, 4).load_state_dict(state)


def test_scope_bias_of_forks_is_frozen_as_the_rest() -> None:
    up = DySample(16, dyscope=True).requires_grad_(False)
    up.load_state_dict({**up.state_dict(), "scope.bias": torch.ones(32)})
    assert not up.scope.bias.requires_grad


def test_init_pos_on_the_meta_device_has_a_shape_alone() -> None:
    up = DySample(16).to("meta")
    up.load_state_dict({**up.state_dict(), "init_pos": torch.empty(1, 32, 1, 1, device="meta")})
    with pytest.raises(RuntimeError, match="`init_pos` must hold"):
        up.load_state_dict({**up.state_dict(), "init_pos": torch.empty(1, 8, 1, 1, device="meta")})


def test_init_pos_of_another_design_is_refused() -> None:
    state = published_state("lp", 4, False)
    with pytest.raises(RuntimeError, match=r"`init_pos` must hold .* start='nearest', scale 2"):
        DySample(32, start="nearest").load_state_dict(state)
    state["init_pos"] = torch.zeros_like(state["init_pos"])
    DySample(32, start="nearest").load_state_dict(state)
    with pytest.raises(RuntimeError, match=r"`init_pos` must hold .* start='bilinear'"):
        DySample(32).load_state_dict(state)


def test_missing_and_unexpected_keys_are_named() -> None:
    state = published_state("lp", 4, False)
    del state["offset.bias"]
    state["scope.weight"] = state["offset.weight"]
    with pytest.raises(RuntimeError, match=r"(?s)Missing.*offset.bias.*Unexpected.*scope.weight"):
        DySample(32).load_state_dict(state)


@pytest.mark.parametrize("style", ["lp", "pl"])
@pytest.mark.parametrize("dyscope", [False, True])
def test_fresh_module_is_nearly_bilinear(style: str, dyscope: bool) -> None:
    up, x = DySample(32, 2, style, 4, dyscope), torch.randn(1, 32, 6, 6)
    bilinear = Bilinear(32)(x)
    assert float((up(x) - bilinear).detach().abs().max()) < 0.02
    torch.nn.init.zeros_(up.offset.weight)
    torch.testing.assert_close(up(x), bilinear, rtol=0, atol=1e-6)


def test_pl_equals_a_convolution_after_pixel_shuffle() -> None:
    for scale in (2, 4):
        up = DySample(32, scale, "pl", 4).double()
        up.load_state_dict(published_state("pl", 4, False, scale))
        x = torch.randn(2, 32, 3, 5, dtype=torch.float64)
        field = 0.25 * up.offset(F.pixel_shuffle(x, scale))
        expected = functional.point_sample(x, field)
        torch.testing.assert_close(up(x), expected, rtol=0, atol=1e-12)


def test_module_equals_function() -> None:
    up, x = DySample(32, 2, "lp", 4, dyscope=True).double(), torch.randn(1, 32, 4, 5).double()
    up.load_state_dict(published_state("lp", 4, True))
    offset = 0.5 * up.scope(x).sigmoid() * up.offset(x)
    expected = functional.dysample(x, offset, 2, size=(7, 9))
    torch.testing.assert_close(up(x, size=(7, 9)), expected, rtol=0, atol=1e-12)


def test_channels_of_a_group_may_change_places() -> None:
    x = torch.randn(1, 8, 4, 4)
    offset = torch.randn(1, 2 * 2 * 4, 4, 4)
    order = torch.tensor([2, 0, 3, 1, 7, 5, 4, 6])  # within the blocks of 4
    out = functional.dysample(x, offset, 2)
    assert torch.equal(functional.dysample(x[:, order], offset, 2), out[:, order])


def test_whole_pixel_translation_commutes_away_from_the_border() -> None:
    up = DySample(8, groups=2).double()
    torch.nn.init.normal_(up.offset.weight, std=0.3)
    x = torch.randn(1, 8, 12, 12, dtype=torch.float64)
    out, moved = up(x), up(x.roll((1, 2), dims=(2, 3)))
    inner = (slice(None), slice(None), slice(8, 16), slice(8, 16))
    torch.testing.assert_close(moved.roll((-2, -4), dims=(2, 3))[inner], out[inner])


def test_positions_are_where_forward_samples() -> None:
    up = DySample(8, groups=2).double()
    torch.nn.init.normal_(up.offset.weight, std=0.5)
    # On a map that holds its own coordinates a bilinear sample is its position.
    columns = torch.arange(6.0, dtype=torch.float64).expand(5, 6)
    rows = torch.arange(5.0, dtype=torch.float64).view(5, 1).expand(5, 6)
    x = torch.stack((columns, rows) * 4).unsqueeze(0)
    for size in (None, (9, 11)):
        positions = up.positions(x, size)
        out = up(x, size=size)
        limit = torch.tensor([5.0, 4.0]).view(1, 1, 2, 1, 1)
        clamped = positions.clamp(min=0).minimum(limit)
        for g in range(2):
            torch.testing.assert_close(out[:, 4 * g : 4 * g + 2], clamped[:, g])


def test_far_infinite_and_undefined_offsets_are_harmless() -> None:
    x = torch.randn(1, 2, 4, 4, requires_grad=True)
    offset = torch.zeros(1, 2, 8, 8)
    offset[0, 0, 0, :4] = torch.tensor([1e30, -1e30, float("inf"), float("-inf")])
    out = functional.point_sample(x, offset)
    assert torch.isfinite(out).all()
    offset[0, 0, 0, 0] = float("nan")
    offset.requires_grad_()
    undefined = functional.point_sample(x, offset)
    assert torch.equal(undefined[0, :, 1:], out[0, :, 1:])
    # As in the definition: a position that is no number is the first pixel's.
    assert torch.equal(undefined[0, :, 0, 0], undefined[0, :, 0, 1])
    undefined.sum().backward()
    assert torch.isfinite(x.grad).all()
    assert torch.equal(offset.grad[0, 0, 0, :4], torch.zeros(4))
