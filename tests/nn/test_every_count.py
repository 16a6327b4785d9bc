"""Parameters and the formulas of `macs`, against what torch counts and what is published."""

from __future__ import annotations

import pytest
from torch.utils.flop_counter import FlopCounterMode

import dysample
from dysample import create_upsampler, list_upsamplers
from support.tolerances import BACKENDS
from support.upsamplers import NAMES, PLAIN, C, each_name, features, guide_for

# The 1x1 convolutions of A2U's pooled maps: a mean and two of 6x6 pixels.
NOT_IN_THE_FORMULA = {"a2u": 36 * C + 2 * 36 * C}
# Multiply-adds an output element that are neither convolutions nor primitives.
ELEMENTWISE = {
    "a2u": 1 / 4,  # an inner product of C channels a 2x2 block
    "fade": 2,  # the gate
    "fade_lite": 2,
    "sapa_g": 2,  # the query's gate
}
# Those of the primitives.
PRIMITIVES = dict.fromkeys(list_upsamplers("dysample*"), 4) | {
    "nearest": 0,
    "bilinear": 4,
    "deconv": 0,
    "pixel_shuffle": 0,
    "carafe": 25,
    "indexnet": 1,
    "a2u": 9,
    "fade": 25,
    "fade_lite": 25,
    "sapa_i": 25 + 25,  # products of query and key, and with the features
    "sapa_b": 25 + 25,  # as many channels are embedded as upsampled
    "sapa_g": 25 + 25,
    "sapa_d": 9 * (4 + 1) * (4 + 1),  # 4 a sample, 1 a product; 4 groups of C keys, C features
}


def uncounted(name: str, backend: str) -> float:
    """What the formula has beyond torch's count, in multiply-adds an output element."""
    up, x = create_upsampler(name, C).eval(), features(batch=1).float()
    guide = guide_for(up, x)
    with dysample.backend(backend), FlopCounterMode(display=False) as counter:
        up(x, guide)
    counted = counter.get_total_flops() // 2 - NOT_IN_THE_FORMULA.get(name, 0)
    return (up.macs(5, 7) - counted) / (C * 10 * 14)


@each_name
def test_macs_count_the_convolutions(name: str) -> None:
    assert uncounted(name, "eager") == PRIMITIVES[name] + ELEMENTWISE.get(name, 0)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in PLAIN])
@pytest.mark.skipif("cpu" not in BACKENDS, reason="there are no kernels to count")
def test_the_count_of_the_kernels_is_the_formula(name: str) -> None:
    assert uncounted(name, "cpu") == ELEMENTWISE.get(name, 0)


@pytest.mark.parametrize(
    ("name", "options", "count"),
    [
        ("carafe", {}, 74148),
        ("dysample", {}, 8224),
        ("dysample", {"dyscope": True}, 16416),
        ("dysample", {"style": "pl", "groups": 8}, 1040),
        ("dysample", {"style": "pl", "groups": 8, "dyscope": True}, 2064),
        ("indexnet", {}, 2100224),
        ("indexnet", {"style": "m2o"}, 4 * (17 * 256**2 + 2 * 256)),
        ("indexnet", {"style": "m2o", "nonlinear": False, "context": False}, 16 * 256**2),
        ("indexnet", {"style": "o2o"}, 76 * 256),
        ("a2u", {}, 10790),
        ("fade", {}, 47514),
        ("fade", {"gating": False}, 47257),
        ("fade_lite", {}, 13332),
        ("fade_lite", {"gating": False}, 13075),
        ("sapa_i", {}, 0),
        ("sapa_b", {}, 17472),
        ("sapa_g", {}, 25953),
        ("sapa_d", {}, 139808),
    ],
    ids=str,
)
def test_parameters_at_256_channels(name: str, options, count: int) -> None:
    up = create_upsampler(name, 256, **options)
    assert sum(parameter.numel() for parameter in up.parameters()) == count


# The low-res sizes at which the steps of the published models read.
MODELS = {
    "SegFormer-B1 at 512": (16, 32, 64, 32, 64, 64),
    "MaskFormer at 640": (20, 40, 80),
    "Mask2Former at 640": (80,),
    "one step at 120": (120,),
}


PUBLISHED = [
    ("indexnet", {}, (30.646, 17.642, 13.441, 30.243)),
    ("a2u", {}, (0.407, 0.234, 0.179, 0.402)),
    ("fade", {"gating": False}, (2.620, 1.508, None, 2.585)),
    ("fade", {}, (2.653, 1.527, None, 2.618)),
    ("fade_lite", {}, (0.891, 0.513, None, 0.879)),
]
"""Multiply-adds of all steps, in billions; None where nothing is published."""


@pytest.mark.parametrize(
    ("name", "options", "model", "giga"),
    [
        (name, options, model, giga)
        for name, options, gigas in PUBLISHED
        for model, giga in zip(MODELS, gigas)
        if giga is not None
    ],
    ids=str,
)
def test_macs_of_the_published_models(name: str, options, model: str, giga: float) -> None:
    up = create_upsampler(name, 256, **options)
    assert round(sum(up.macs(size, size) for size in MODELS[model]) / 1e9, 3) == giga
