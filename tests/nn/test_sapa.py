"""SAPA (SAPA-B, SAPA-G) and SAPA-I."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import dysample
from dysample import SAPA, SAPAI, create_upsampler, functional
from dysample.nn.pointwise import PixelLinear

pytestmark = pytest.mark.usefixtures("backend")


def lively(up: nn.Module) -> nn.Module:
    """In float64, with weights far from their calm start."""
    up.double()
    with torch.no_grad():
        for parameter in up.parameters():
            parameter.copy_(0.5 * torch.randn_like(parameter))
    return up


def pair(channels: int, of_guide: int, size: tuple[int, int] = (6, 10)) -> tuple[Tensor, Tensor]:
    x = torch.randn(2, channels, 3, 5, dtype=torch.float64)
    return x, torch.randn(2, of_guide, *size, dtype=torch.float64)


def published_state(axes: int, names: tuple[str, ...] = ("q", "k")) -> dict[str, Tensor]:
    """A checkpoint for 32 channels as a release writes it: weights (out, in), or 1x1 kernels."""
    state = {}
    for name in ("norm_y", "norm_x"):
        state |= {f"{name}.weight": torch.randn(32), f"{name}.bias": torch.randn(32)}
    for name in names:
        outputs = 1 if name == "gate" else 32
        weight = torch.randn(outputs, 32)
        state[f"{name}.weight"] = weight if axes == 2 else weight[:, :, None, None]
        state[f"{name}.bias"] = torch.randn(outputs)
    return state


def test_macs_are_the_formulas_of_the_papers() -> None:
    N, C, e, k = 12, 256, 32, 5
    assert SAPAI(C).macs(3, 4) == N * 2 * 4 * k**2 * C
    embedding, window = C * e * (4 + 1), 4 * k**2 * (e + C)
    assert SAPA(C).macs(3, 4) == N * (embedding + window)
    # The gate: one more embedding of x, its own map, and 2 products an element of the query.
    gated = embedding + C * e + C + 2 * 4 * e
    assert SAPA(C, query="gate", norm="layer").macs(3, 4) == N * (gated + window)


@pytest.mark.parametrize("query", ["guide", "gate", "cat"])
@pytest.mark.parametrize("norm", ["group", "layer", None])
def test_linear_layers_cost_what_the_formula_says(query: str, norm: str | None) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    up = SAPA(64, query=query, norm=norm, guide_channels=32, out_channels=8, up_kernel=3)
    with dysample.backend("eager"), FlopCounterMode(display=False) as counter:
        up(torch.randn(1, 64, 3, 5), torch.randn(1, 32, 6, 10))
    products = 60 * 9 * (32 + 8) + (2 * 60 * 32 if query == "gate" else 0)
    assert up.macs(3, 5) == counter.get_total_flops() // 2 + products


@pytest.mark.parametrize(
    ("axes", "norm", "kind"), [(4, "group", nn.Conv2d), (2, "layer", PixelLinear)]
)
def test_both_releases_load(axes: int, norm: str, kind: type) -> None:
    up, state = SAPA(32, norm=norm), published_state(axes)
    up.load_state_dict(state)
    assert isinstance(up.q, kind)
    for key, value in up.state_dict().items():
        assert torch.equal(value, state[key])
    model = nn.Sequential(nn.Identity(), SAPA(32, norm=norm))
    model.load_state_dict({f"1.{key}": value for key, value in state.items()})
    assert torch.equal(model[1].k.bias, state["k.bias"])


def test_sapa_g_loads_the_published_keys() -> None:
    state = published_state(2, ("qy", "qx", "gate", "k"))
    up = create_upsampler("sapa_g", 32)
    up.load_state_dict(state)
    assert up.state_dict().keys() == state.keys()
    assert all(torch.equal(value, state[key]) for key, value in up.state_dict().items())


def test_without_norms_both_releases_are_one() -> None:
    x, guide = pair(32, 32)
    ups = []
    for axes in (2, 4):
        torch.manual_seed(1)
        state = {k: v for k, v in published_state(axes).items() if not k.startswith("norm")}
        ups.append(SAPA(32, norm=None))
        ups[-1].load_state_dict(state)
        assert state["q.weight"].dim() == axes  # the caller's is left alone
    assert torch.equal(ups[0].double()(x, guide), ups[1].double()(x, guide))


@pytest.mark.parametrize(
    ("norm", "axes", "match"),
    [
        ("group", 2, r"`up.q.weight` \(2 axes\) must have 4 .* SAPA's first release, norm='layer'"),
        ("layer", 4, r"`up.k.weight` \(4 axes\) must have 2 .* current release, norm='group'"),
    ],
)
def test_the_other_release_is_refused(norm: str, axes: int, match: str) -> None:
    model = nn.ModuleDict({"up": SAPA(32, norm=norm)})
    state = {f"up.{key}": value for key, value in published_state(axes).items()}
    with pytest.raises(RuntimeError, match=match):
        model.load_state_dict(state)


def test_missing_and_unexpected_keys_are_named() -> None:
    state = published_state(4)
    del state["k.bias"]
    state["v.weight"] = state["q.weight"]
    with pytest.raises(RuntimeError, match=r"(?s)Missing.*k.bias.*Unexpected.*v.weight"):
        SAPA(32).load_state_dict(state)


def test_starts_nearly_as_a_box_filter() -> None:
    for name in ("sapa_b", "sapa_g"):
        x, guide = pair(32, 32)
        box = F.interpolate(F.avg_pool2d(x, 5, stride=1, padding=2), scale_factor=2)
        out = create_upsampler(name, 32).double()(x, guide)
        torch.testing.assert_close(out, box, rtol=0, atol=0.1)


@pytest.mark.parametrize("size", [(6, 10), (7, 9), (2, 13)], ids=str)
def test_cat_is_a_layer_on_guide_and_nearest_features(size: tuple[int, int]) -> None:
    up = lively(SAPA(6, query="cat", norm="layer", guide_channels=4, embedding=3))
    x, guide = pair(6, 4, size)
    beside = torch.cat((up.norm_y(guide), F.interpolate(x, size, mode="nearest-exact")), dim=1)
    expected = functional.sapa(x, up.q(beside), up.k(up.norm_x(x)))
    torch.testing.assert_close(up(x, guide), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("size", [(6, 10), (7, 9)], ids=str)
def test_gate_open_and_shut(size: tuple[int, int]) -> None:
    up = lively(SAPA(6, query="gate", norm="layer", guide_channels=4, embedding=3))
    x, guide = pair(6, 4, size)
    nn.init.zeros_(up.gate.weight)
    key = up.k(up.norm_x(x))
    for bias, query in (
        (1e3, up.qy(up.norm_y(guide))),
        (-1e3, F.interpolate(up.qx(x), size, mode="nearest-exact")),  # x is not normalised here
    ):
        nn.init.constant_(up.gate.bias, bias)
        assert torch.equal(up(x, guide), functional.sapa(x, query, key))


def test_layer_norm_and_linear_work_on_the_channels_of_each_pixel() -> None:
    up = lively(SAPA(6, norm="layer", embedding=3))
    x, _ = pair(6, 6)
    pixel = up.norm_x(x)[1, :, 2, 4]
    normal = F.layer_norm(x[1, :, 2, 4], (6,), up.norm_x.weight, up.norm_x.bias)
    torch.testing.assert_close(pixel, normal)
    expected = F.linear(normal, up.k.weight, up.k.bias)
    torch.testing.assert_close(up.k(up.norm_x(x))[1, :, 2, 4], expected)


def test_embedded_values_read_the_normalised_features() -> None:
    up = lively(SAPA(6, norm="layer", embedding=3, embed_value=True))
    x, guide = pair(6, 6)
    normal = up.norm_x(x)
    expected = functional.sapa(up.v(normal), up.q(up.norm_y(guide)), up.k(normal))
    assert torch.equal(up(x, guide), expected)
    assert SAPA(6, norm=None, out_channels=3).v.weight.shape == (3, 6, 1, 1)


@pytest.mark.parametrize("norm", [None, "layer"])
def test_sapa_i_is_the_function(norm: str | None) -> None:
    up = SAPAI(6, norm=norm, up_kernel=3, out_channels=4).double()
    x, guide = pair(6, 6, (7, 9))
    query, key = guide, x
    if norm:  # layers fresh from the start have no effect of their own
        query, key = (nn.LayerNorm(6).double()(t.movedim(1, -1)).movedim(-1, 1) for t in (guide, x))
    expected = functional.sapa(up.project(x), query, key, kernel=3)
    torch.testing.assert_close(up(x, guide), expected, rtol=0, atol=1e-12)


def test_one_pixel_of_one_image_has_a_single_value_a_group() -> None:
    up = SAPA(32)
    assert torch.isfinite(up(torch.randn(1, 32, 1, 1), torch.randn(1, 32, 2, 2))).all()
    assert up(torch.randn(1, 32, 1, 1), torch.randn(1, 32, 1, 1)).shape == (1, 32, 1, 1)


def test_an_edge_of_the_guide_is_kept() -> None:
    # Two regions whose edge runs through a low-res pixel: the guide says which side counts.
    x = torch.full((1, 2, 6, 6), -1.0)
    x[..., 3:] = 1
    guide = torch.full((1, 2, 12, 12), -1.0)
    guide[..., 5:] = 1
    out = SAPAI(2)(20 * x, guide) / 20
    inner = out[..., 4:-4, 4:-4]
    torch.testing.assert_close(inner, guide[..., 4:-4, 4:-4], rtol=0, atol=1e-3)


def test_widths_that_the_groups_do_not_divide() -> None:
    with pytest.raises(ValueError, match=r"`in_channels` \(=8\) must be a multiple of the 32"):
        SAPA(8, guide_channels=32)
    SAPA(8, norm="layer")
    SAPA(8, norm=None)


def test_sapa_i_refuses_a_guide_of_other_channels() -> None:
    with pytest.raises(ValueError, match=r"`guide_channels` \(=4\) must equal in_channels \(=8\)"):
        SAPAI(8, guide_channels=4)
    with pytest.raises(ValueError, match=r"`norm` \(='group'\) must be one of 'layer'"):
        SAPAI(32, norm="group")
