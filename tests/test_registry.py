from __future__ import annotations

import pytest
import torch

import dysample
from dysample import DySample, create_upsampler, list_upsamplers, register_upsampler
from dysample.nn import CARAFE, Nearest
from dysample.registry import _ENTRIES, get_entry


@pytest.mark.parametrize(
    ("name", "style", "groups", "dyscope", "scope_factor", "start"),
    [
        ("dysample", "lp", 4, False, 0.25, "bilinear"),
        ("dysample_plus", "lp", 4, True, 0.25, "bilinear"),
        ("dysample_s", "pl", 8, False, 0.25, "bilinear"),
        ("dysample_s_plus", "pl", 8, True, 0.25, "bilinear"),
        ("dysample_step_0", "lp", 1, False, 1.0, "nearest"),
        ("dysample_step_1", "lp", 1, False, 1.0, "bilinear"),
        ("dysample_step_2", "lp", 1, False, 0.25, "bilinear"),
        ("dysample_step_3", "lp", 4, False, 0.25, "bilinear"),
        ("dysample_step_4", "lp", 4, True, 0.25, "bilinear"),
    ],
)
def test_names_of_the_paper(name, style, groups, dyscope, scope_factor, start) -> None:
    up = create_upsampler(name, 32)
    assert isinstance(up, DySample)
    got = (up.style, up.groups, up.dyscope, up.scope_factor, up.start)
    assert got == (style, groups, dyscope, scope_factor, start)


def test_first_and_last_design_step_mean_what_the_paper_says() -> None:
    x = torch.randn(1, 8, 4, 4)
    naive = create_upsampler("dysample_step_0", 8)
    torch.nn.init.zeros_(naive.offset.weight)
    assert torch.equal(naive(x), Nearest(8)(x))
    last, plus = create_upsampler("dysample_step_4", 8), create_upsampler("dysample_plus", 8)
    last.load_state_dict(plus.state_dict())
    assert torch.equal(last(x), plus(x))


def test_list_by_pattern_and_guidance() -> None:
    names = list_upsamplers()
    assert names[:5] == ["nearest", "bilinear", "deconv", "pixel_shuffle", "carafe"]
    assert len(list_upsamplers("dysample_step_?")) == 5
    assert list_upsamplers(guided=False) == [n for n in names if not get_entry(n).guided]
    assert list_upsamplers("nothing*") == []


def test_options_override_the_name() -> None:
    up = create_upsampler("dysample_s", 32, 4, groups=2, out_channels=16)
    assert (up.style, up.groups, up.out_channels, up.scale_factor) == ("pl", 2, 16, 4)


def test_misspelt_name_gets_the_nearest_names() -> None:
    with pytest.raises(ValueError, match=r"`name` \(='dysampel'\) must .* mean dysample"):
        create_upsampler("dysampel", 8)
    with pytest.raises(ValueError, match=r"`name` \(='qqq'\) must be .*: known: nearest, bilinear"):
        create_upsampler("qqq", 8)


def test_unknown_option_is_named() -> None:
    with pytest.raises(TypeError, match="`gruops` must be an option of dysample: style, groups"):
        create_upsampler("dysample", 8, gruops=2)


def test_register_your_own() -> None:
    try:
        register_upsampler("mine", DySample, groups=2, summary="two groups")
        assert create_upsampler("mine", 8).groups == 2
        assert list_upsamplers()[-1] == "mine"
        assert not get_entry("mine").guided
        with pytest.raises(ValueError, match=r"`name` \(='mine'\) is taken by"):
            register_upsampler("mine", DySample)
    finally:
        _ENTRIES.pop("mine", None)
    with pytest.raises(TypeError, match=r"`factory` \(=3\) must be callable"):
        register_upsampler("mine", 3)


@pytest.mark.parametrize(
    ("error", "match", "name"),
    [
        (TypeError, r"`name` \(=3\) must be a string", 3),
        (TypeError, r"`name` \(=\['a'\]\) must be a string", ["a"]),
        (ValueError, r"`name` \(='Mine'\) must be lower case", "Mine"),
    ],
)
def test_a_name_to_register_is_a_lower_case_string(error: type[Exception], match, name) -> None:
    with pytest.raises(error, match=match):
        register_upsampler(name, DySample)
    assert list_upsamplers("dysample_s*")


@pytest.mark.parametrize("name", [["a"], 3, None])
def test_a_name_to_look_up_is_a_string(name) -> None:
    with pytest.raises(TypeError, match=r"`name` \(=.*\) must be a string"):
        get_entry(name)
    with pytest.raises(TypeError, match=r"`name` \(=.*\) must be a string"):
        create_upsampler(name, 64)


def test_an_option_that_a_name_stands_for_must_exist_too() -> None:
    try:
        register_upsampler("mine", CARAFE, kernel=3)
        with pytest.raises(TypeError, match="`kernel` must be an option of mine: up_kernel, up_"):
            create_upsampler("mine", 8)
    finally:
        _ENTRIES.pop("mine", None)


def test_public_names_exist() -> None:
    for name in dysample.__all__:
        assert hasattr(dysample, name)
