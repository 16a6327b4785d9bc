"""Structured pruning: modules read as many channels as their weights do."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dysample import create_upsampler
from dysample.nn import DySample, Upsampler
from support.upsamplers import GUIDED, NAMES, each_name

MANY, FEW = 64, 32
# Without a projection nothing in them reads x: it is interpolated, or summed with kernels of the
# guide.
READS_NO_X = ("nearest", "bilinear", "indexnet", "a2u", "sapa_i")
VARIANTS = {
    **{name: (name, {}) for name in NAMES},
    "nearest, projected": ("nearest", {"out_channels": 8}),
    "dysample, projected": ("dysample", {"out_channels": 8}),
    "a2u, projected": ("a2u", {"out_channels": 8}),
    "sapa_i, projected": ("sapa_i", {"out_channels": 8}),
    "sapa_b, other values": ("sapa_b", {"out_channels": 8}),
    "sapa_b, cat": ("sapa_b", {"query": "cat"}),
    "sapa_b, cat, layer": ("sapa_b", {"query": "cat", "norm": "layer"}),
    "indexnet, o2o": ("indexnet", {"style": "o2o"}),
    "indexnet, m2o": ("indexnet", {"style": "m2o", "nonlinear": False}),
    "indexnet, linear": ("indexnet", {"nonlinear": False}),
    "fade, no gate": ("fade", {"gating": False}),
    "pixel_shuffle, 3": ("pixel_shuffle", {"out_channels": 3}),
    "deconv, 3": ("deconv", {"out_channels": 3}),
}
each_variant = pytest.mark.parametrize("variant", VARIANTS)
SHAPES = (
    "in_channels",
    "out_channels",
    "groups",
    "num_channels",
    "normalized_shape",
    "in_features",
    "out_features",
    "num_features",
)


def built(variant: str, channels: int) -> Upsampler:
    name, options = VARIANTS[variant]
    up = create_upsampler(name, channels, **options).double().eval()
    with torch.no_grad():
        for parameter in up.parameters():
            parameter.copy_(0.2 * torch.randn_like(parameter))
    return up


def pruned(variant: str) -> tuple[Upsampler, Upsampler]:
    """A module made for many channels with the weights of one for few, as a pruner leaves it."""
    up, small = built(variant, MANY), built(variant, FEW)
    for ours, theirs in zip(up.modules(), small.modules()):
        for name, weight in theirs._parameters.items():
            ours._parameters[name] = weight
        for name, value in theirs._buffers.items():
            ours._buffers[name] = value
        for name in SHAPES:
            if not isinstance(ours, Upsampler) and hasattr(ours, name):
                setattr(ours, name, getattr(theirs, name))
    return up, small


def inputs(up: Upsampler, channels: int) -> tuple[torch.Tensor, ...]:
    x = torch.randn(2, channels, 3, 4, dtype=torch.float64)
    guide = torch.randn(2, channels, 7, 8, dtype=torch.float64)
    return (x, guide) if up.guided else (x,)


@each_variant
def test_pruned_modules_are_small_ones(variant: str) -> None:
    up, small = pruned(variant)
    given = inputs(up, FEW)
    torch.testing.assert_close(up(*given), small(*given), rtol=0, atol=0)
    name, options = VARIANTS[variant]
    if name not in READS_NO_X or "out_channels" in options:
        assert (up.in_channels, up.out_channels) == (small.in_channels, small.out_channels)
        assert up.extra_repr() == small.extra_repr()
        assert up.macs(5, 7) == small.macs(5, 7)
        with pytest.raises(
            ValueError, match=rf"^`x` channels \(={MANY}\) must equal the module's \(={FEW}\)$"
        ):
            up(inputs(up, MANY)[0], *given[1:])
    if name in GUIDED and name != "sapa_i":
        assert up.guide_channels == FEW
        with pytest.raises(ValueError, match=r"^`guide` channels \(=64\) must equal the module's"):
            up(given[0], inputs(up, MANY)[1])


@each_name
def test_modules_as_they_were_built_say_what_they_take(name: str) -> None:
    up = create_upsampler(name, MANY)
    given = inputs(up.double(), FEW)
    if name not in READS_NO_X:
        with pytest.raises(
            ValueError, match=rf"^`x` channels \(={FEW}\) must equal the module's \(={MANY}\)$"
        ):
            up(*given)
    elif not up.guided:
        assert up(*given).shape == (2, FEW, 6, 8)
    else:  # any x goes with a guide of the module's
        guide = given[0].new_ones(2, FEW if name == "sapa_i" else MANY, 7, 8)
        assert up(given[0], guide).shape == (2, FEW, 7, 8)


def test_depthwise_index_maps_need_a_channel_each() -> None:
    up = create_upsampler("indexnet", MANY, style="o2o")
    with pytest.raises(ValueError, match=r"^`x` channels \(=32\) must equal the module's \(=64\)$"):
        up(torch.rand(1, FEW, 3, 3), torch.rand(1, MANY, 6, 6))


def test_a_gate_blends_as_many_channels() -> None:
    """Features and guide may be pruned differently; their sum has one number of channels."""
    up, small = create_upsampler("fade", MANY), create_upsampler("fade", FEW)
    up.ker_generator.compressor_de = small.ker_generator.compressor_de
    up.gate_generator = small.gate_generator
    with pytest.raises(
        ValueError, match=r"^`guide` channels \(=64\) must equal those of the result"
    ):
        up(torch.rand(1, FEW, 3, 3), torch.rand(1, MANY, 6, 6))


def test_groups_still_divide() -> None:
    up = DySample(MANY)
    up.offset.weight = nn.Parameter(up.offset.weight[:, :30].detach())
    with pytest.raises(ValueError, match=r"^`groups` \(=4\) must divide channels \(=30\)$"):
        up(torch.rand(1, 30, 4, 4))


def test_weights_that_do_not_say_leave_it_to_the_layer() -> None:
    """Packed, sharded or computed from parts: the layer knows."""
    up, x = DySample(MANY), torch.rand(1, MANY, 3, 3)
    expected = up(x)
    nn.utils.parametrizations.weight_norm(up.offset)
    torch.testing.assert_close(up(x), expected)
    assert up.in_channels == MANY
    with pytest.raises(RuntimeError, match="channels"):
        up(x[:, :FEW])


def test_channels_can_be_set_where_no_weight_reads_x() -> None:
    up = create_upsampler("bilinear", MANY)
    up.in_channels = FEW
    assert up.macs(2, 2) == create_upsampler("bilinear", FEW).macs(2, 2)
    with pytest.raises(ValueError, match=r"^`in_channels` \(=0\) must be at least 1$"):
        up.in_channels = 0
