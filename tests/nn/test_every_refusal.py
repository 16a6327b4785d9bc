"""One tester for the family: what every registered upsampler refuses, and how it says so."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import torch

from dysample import create_upsampler
from dysample.registry import get_entry
from support.refusals import refused
from support.tensors import OF_ANOTHER_KIND
from support.upsamplers import GUIDED, C, each_guided, each_name, each_name_but

X = torch.zeros(2, C, 4, 4)


@each_name
@pytest.mark.parametrize(
    ("error", "match", "args", "size"),
    [
        (ValueError, r"`x` must have 4 axes", (X[0],), None),
        (TypeError, "`x` must be floating, not torch.uint8", (X.byte(),), None),
        (TypeError, "`x` must be a tensor, not NoneType", (None,), None),
        (ValueError, r"`x` height \(=0\) must be at least 1", (X[:, :, :0],), None),
        (ValueError, r"`guide` batch \(=1\) must equal that of `x` \(=2\)", (X, X[:1]), None),
        (ValueError, "`guide` must have 4 axes", (X, X[0]), None),
        (
            TypeError,
            "^`guide` must be a tensor, not tuple: .* by name, `size=`$",
            (X, (8, 8)),
            None,
        ),
        (TypeError, "^`guide` must be a tensor, not Size: .*`size=`$", (X, X.shape[2:]), None),
        (TypeError, "^`guide` must be a tensor, not int: .*`size=`$", (X, 8), (8, 8)),
        (
            ValueError,
            r"`guide` size \(=\(4, 4\)\) must equal `size` \(=\(8, 9\)\)",
            (X, X),
            (8, 9),
        ),
        (ValueError, r"`size\[0\]` \(=0\) must be at least 1", (X,), (0, 4)),
        (ValueError, r"`size` \(=\(1, 2, 3\)\) must have 2 entries", (X,), (1, 2, 3)),
        (TypeError, r"`size\[0\]` \(=2.5\) must be an integer", (X,), (2.5, 4)),
        (TypeError, r"`size` \(='8'\) must be an integer or \(height, width\)", (X,), "8"),
    ],
)
def test_refuses(name: str, error: type[Exception], match: str, args, size) -> None:
    with pytest.raises(error, match=match):
        create_upsampler(name, C)(*args, size=size)


@each_name
@pytest.mark.parametrize(
    ("error", "match", "in_channels", "scale_factor"),
    [
        (ValueError, r"`in_channels` \(=0\) must be at least 1", 0, 2),
        (TypeError, r"`in_channels` \(=16.0\) must be an integer", 16.0, 2),
        (ValueError, r"`scale_factor` \(=0\) must be finite and above 0", C, 0),
        (ValueError, r"`scale_factor` \(=inf\) must be finite and above 0", C, float("inf")),
        (TypeError, r"`scale_factor` \(='2'\) must be a number", C, "2"),
    ],
)
def test_constructor_refuses(
    name: str, error: type[Exception], match: str, in_channels, scale_factor
) -> None:
    with pytest.raises(error, match=match):
        create_upsampler(name, in_channels, scale_factor)


@pytest.mark.parametrize(
    ("name", "in_channels", "options", "match"),
    [
        ("carafe", 8, {"up_kernel": 4}, r"`up_kernel` \(=4\) must be odd"),
        ("carafe", 8, {"up_group": 3}, r"`up_group` \(=3\) must divide out_channels \(=8\)"),
        ("carafe", 8, {"encoder_kernel": 2}, r"`encoder_kernel` \(=2\) must be odd"),
        ("carafe", 8, {"encoder_dilation": 0}, r"`encoder_dilation` \(=0\) must be at least 1"),
        ("carafe", 8, {"compressed_channels": 0}, r"`compressed_channels` \(=0\) must be at least"),
        ("dysample", 32, {"style": "xx"}, r"`style` \(='xx'\) must be one of 'lp', 'pl'"),
        ("dysample", 32, {"groups": 3}, r"`groups` \(=3\) must divide in_channels \(=32\)"),
        ("dysample", 32, {"groups": 0}, r"`groups` \(=0\) must be at least 1"),
        ("dysample", 32, {"out_channels": 6}, r"`groups` \(=4\) must divide out_channels \(=6\)"),
        (
            "dysample", 32, {"style": "pl", "scale_factor": 3},
            r"`scale\^2` \(=9\) must divide in_channels",
        ),
        (
            "dysample", 32, {"scope_factor": -1},
            r"`scope_factor` \(=-1\) must be finite and above 0",
        ),
        (
            "dysample", 32, {"start": "centre"},
            r"`start` \(='centre'\) must be one of 'bilinear', 'nearest'",
        ),
        (
            "indexnet", 8, {"style": "hin"},
            r"`style` \(='hin'\) must be one of 'holistic', 'o2o', 'm2o'",
        ),
        (
            "indexnet", 8, {"style": "o2o", "guide_channels": 3},
            r"`guide_channels` \(=3\) must equal out_channels \(=8\): style='o2o' makes one index"
            r" map a channel; style='holistic' takes any",
        ),
        (
            "indexnet", 8, {"style": "m2o", "out_channels": 4},
            r"`guide_channels` \(=8\) must equal out_channels \(=4\)",
        ),
        (
            "a2u", 8, {"guide_channels": 48},
            r"`guide_channels` \(=48\) must be a multiple of 32: they are normalised in 32 groups",
        ),
        ("a2u", 8, {}, r"`guide_channels` \(=8\) must be a multiple of 32"),
        ("a2u", 8, {"guide_channels": 32, "up_kernel": 2}, r"`up_kernel` \(=2\) must be odd"),
        *(
            (name, 8, options, match)
            for name in ("fade", "fade_lite")
            for options, match in (
                ({"up_kernel": 4}, r"`up_kernel` \(=4\) must be odd"),
                (
                    {"guide_channels": 3},
                    r"`guide_channels` \(=3\) must equal out_channels \(=8\): the gate blends .*"
                    r" gating=False takes any",
                ),
                ({"out_channels": 4}, r"`guide_channels` \(=8\) must equal out_channels \(=4\)"),
            )
        ),
        ("fade", 8, {"embedding": 0}, r"`embedding` \(=0\) must be at least 1"),
        ("sapa_b", 32, {"query": "x"}, r"`query` \(='x'\) must be one of 'guide', 'gate', 'cat'"),
        ("sapa_b", 32, {"norm": "batch"}, r"`norm` \(='batch'\) must be one of 'group', 'layer'"),
        ("sapa_b", 32, {"up_kernel": 4}, r"`up_kernel` \(=4\) must be odd"),
        ("sapa_b", 32, {"embedding": 0}, r"`embedding` \(=0\) must be at least 1"),
        (
            "sapa_b", 32, {"guide_channels": 16},
            r"`guide_channels` \(=16\) must be a multiple of the 32 .*'layer'",
        ),
        ("sapa_d", 16, {"points": 0}, r"`points` \(=0\) must be at least 1"),
        ("sapa_d", 16, {"groups": 3}, r"`groups` \(=3\) must divide out_channels \(=16\)"),
        ("sapa_d", 16, {"out_channels": 6}, r"`groups` \(=4\) must divide out_channels \(=6\)"),
        ("sapa_d", 16, {"embedding": 0}, r"`embedding` \(=0\) must be at least 1"),
        ("sapa_d", 16, {"norm": "layer"}, r"`norm` \(='layer'\) must be one of 'group'"),
        (
            "sapa_d", 16, {"norm": "group"},
            r"`guide_channels` \(=16\) must be a multiple of the 32 .* norm=None",
        ),
    ],
)  # fmt: skip
def test_options_are_refused(name: str, in_channels: int, options, match: str) -> None:
    with refused(match):
        create_upsampler(name, in_channels, **options)


FLAGS = ("dyscope", "gating", "high_offset", "nonlinear", "context", "bias", "embed_value")


@each_name
def test_flags_are_true_or_false(name: str) -> None:
    """A "no" of a configuration file is not True."""
    flags = set(FLAGS) & set(inspect.signature(get_entry(name).factory).parameters)
    assert flags or not name.startswith(("dysample", "fade", "indexnet", "sapa_d"))
    for flag in flags:
        with pytest.raises(TypeError, match=rf"^`{flag}` \(='no'\) must be True or False$"):
            create_upsampler(name, C, **{flag: "no"})


@each_name
def test_numbers_of_numpy_are_numbers(name: str) -> None:
    up = create_upsampler(name, np.int64(C), np.float32(2))
    assert type(up.in_channels) is int
    assert type(up.scale_factor) is float
    guide = torch.zeros(2, C, 8, 9) if up.guided else None
    assert up(X, guide, size=(np.int32(8), np.int64(9))).shape == (2, C, 8, 9)


@each_name_but(dict.fromkeys(GUIDED, "the guide gives the size, whatever the scale"))
def test_refuses_a_scale_that_leaves_nothing(name: str) -> None:
    with pytest.raises(ValueError, match="must leave at least one pixel of `x`"):
        create_upsampler(name, C, 0.2)(X)


@each_guided
def test_refuses_a_guide_it_cannot_read(name: str) -> None:
    up = create_upsampler(name, C)
    with pytest.raises(
        ValueError, match=r"`guide` must be given: \w+ reads a finer feature map \(B, 32, H', W'\)"
    ):
        up(X)
    of = "those of `x`" if name == "sapa_i" else "the module's"
    with pytest.raises(ValueError, match=rf"^`guide` channels \(=3\) must equal {of} \(=32\)$"):
        up(X, X[:, :3])
    with pytest.raises(ValueError, match=r"`guide_channels` \(=0\) must be at least 1"):
        create_upsampler(name, C, guide_channels=0)


@each_guided
def test_refuses_a_guide_on_another_device(name: str) -> None:
    up, x = create_upsampler(name, C), torch.zeros(1, C, 2, 2)
    with pytest.raises(ValueError, match=r"^`guide` device \(=meta\) must equal that of `x`"):
        up(x, torch.zeros(1, C, 4, 4, device="meta"))


def test_dysample_refuses_another_dtype_than_its_weights() -> None:
    up, x = create_upsampler("dysample", C), torch.zeros(1, C, 2, 2, dtype=torch.bfloat16)
    with pytest.raises(TypeError, match=r"^`x` dtype \(=torch.bfloat16\) must equal that of the w"):
        up(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert up(x).shape == (1, C, 4, 4)


@each_name
@pytest.mark.parametrize(("what", "change"), OF_ANOTHER_KIND)
def test_numbers_of_another_kind_are_refused(name: str, what: str, change) -> None:
    up, x = create_upsampler(name, C), torch.rand(2, C, 4, 4)
    guide = torch.rand(2, C, 8, 8)
    with pytest.raises(TypeError, match=rf"^`x` must be {what}$"):
        up(change(x), guide)
    with pytest.raises(TypeError, match=rf"^`guide` must be {what}$"):
        up(x, change(guide))
