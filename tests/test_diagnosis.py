"""Readings equal what is known of offsets and kernels that were set by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from dysample import CARAFE, FADE, Bilinear, DySample, Reading, diagnose
from support.upsamplers import C, each_name, guide_for


def shifted(x: float, y: float) -> DySample:
    """All positions moved by (x, y) low-res pixels from those of bilinear interpolation."""
    up = DySample(8, groups=2, scope_factor=1)
    with torch.no_grad():
        up.offset.weight.zero_()
        up.offset.bias.copy_(torch.tensor([x, y]).repeat_interleave(2 * 4))
    return up


def test_offsets_and_the_share_outside() -> None:
    (reading,) = diagnose(shifted(3.0, -4.0), torch.randn(2, 8, 6, 8)).readings
    assert (reading.site, reading.upsampler, reading.entropy) == ("", "DySample", None)
    assert reading.mean_offset == pytest.approx(5)
    assert reading.max_offset == pytest.approx(5)
    # Inside stay 2 of 6 rows, and in them 5 of 8 columns.
    assert reading.outside == pytest.approx(1 - 2 / 6 * 5 / 8)


def test_kernels_of_equal_weights_and_of_a_single_one() -> None:
    up = CARAFE(8)
    x = torch.randn(1, 8, 6, 6)
    with torch.no_grad():
        for parameter in up.parameters():
            parameter.zero_()
    (flat,) = diagnose(up, x).readings
    assert flat.entropy == pytest.approx(1)
    with torch.no_grad():
        up.content_encoder.bias.view(25, 4)[12] = 100
    (sharp,) = diagnose(up, x).readings
    assert sharp.entropy == pytest.approx(0, abs=1e-6)
    with torch.no_grad():
        up.content_encoder.bias.view(25, 4)[11] = 100
    assert diagnose(up, x).readings[0].entropy == pytest.approx(math.log(2) / math.log(25))


@each_name
def test_every_upsampler_has_a_reading(name: str) -> None:
    from dysample import create_upsampler

    up = create_upsampler(name, C)
    state = {key: value.clone() for key, value in up.state_dict().items()}
    x = torch.randn(2, C, 6, 6)
    diagnosis = diagnose(up, x, guide_for(up, x)) if up.guided else diagnose(up, x)
    (reading,) = diagnosis.readings
    seen = (reading.mean_offset, reading.max_offset, reading.outside, reading.entropy)
    assert all(math.isfinite(value) for value in seen if value is not None)
    assert reading.warning is None
    assert up.training  # and its running statistics are as before
    assert all(torch.equal(value, state[key]) for key, value in up.state_dict().items())


def test_one_line_a_call_by_the_path_in_the_model() -> None:
    model = nn.ModuleDict({"a": DySample(8), "b": Bilinear(8)})
    model.forward = lambda x: model["b"](model["a"](x))
    assert str(diagnose(model, torch.zeros(1, 8, 4, 4))).splitlines() == [
        "a (DySample): offsets 0.00 px, at most 0.00, 0.0% outside",
        "b (Bilinear): predicts nothing",
    ]
    assert not any(module._forward_hooks for module in model.modules())


def test_what_looks_too_far_is_warned_of() -> None:
    (line,) = diagnose(shifted(3.0, -4.0), torch.randn(1, 8, 6, 8)).warnings
    assert line.endswith(
        "; the mean offset is above 1 px and more than 25% of the positions lie outside of the map:"
        " try a smaller learning rate for the upsamplers"
    )
    assert diagnose(shifted(0.3, 0.0), torch.randn(1, 8, 6, 8)).warnings == ()
    (line,) = diagnose(shifted(math.nan, 0.0), torch.randn(1, 8, 6, 8)).warnings
    assert line.endswith("; what it predicts is not finite")
    assert Reading("", "X").warning is None
    assert Reading("", "X", entropy=math.nan).warning == "what it predicts is not finite"
    assert Reading("", "X", entropy=0.2).warning is None
    assert str(Reading("up", "CARAFE", entropy=0.04)) == (
        "up (CARAFE): kernel entropy 0.04; the kernels weigh a single pixel: try a smaller learning"
        " rate for the upsamplers"
    )


def test_guides_by_name_and_by_place() -> None:
    up, x, guide = FADE(8), torch.randn(1, 8, 4, 4), torch.randn(1, 8, 8, 8)
    assert diagnose(up, x, guide) == diagnose(up, x, guide=guide)


@each_name
def test_an_empty_batch_and_autocast(name: str) -> None:
    from dysample import create_upsampler

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.up = create_upsampler(name, C)

        def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
            with torch.autocast("cpu", torch.bfloat16):
                return self.up(*(one.bfloat16() for one in inputs))

    model, x = Model(), torch.randn(2, C, 6, 6)
    inputs = (x, guide_for(model.up, x)) if model.up.guided else (x,)
    (reading,) = diagnose(model, *inputs).readings
    (exact,) = diagnose(model.up, *inputs).readings
    for value in ("mean_offset", "outside", "entropy"):
        assert getattr(reading, value) == pytest.approx(getattr(exact, value), abs=0.02)
    (empty,) = diagnose(model.up, *(one[:0] for one in inputs)).readings
    assert empty == Reading("", type(model.up).__name__)


def test_what_the_model_changes_after_the_call_does_not_count() -> None:
    up, x = DySample(8), torch.randn(1, 8, 4, 4)
    nn.init.normal_(up.offset.weight)
    model = nn.ModuleList([up])
    model.forward = lambda x: (up(x), x.mul_(100))
    (expected,) = diagnose(up, x).readings
    (reading,) = diagnose(model, x.clone()).readings
    assert reading.mean_offset == expected.mean_offset


def test_a_model_without_upsamplers_is_refused() -> None:
    with pytest.raises(TypeError, match="`model` must be a module, not function"):
        diagnose(lambda x: x, torch.zeros(1))
    with pytest.raises(ValueError, match="`model` must call an upsampler of dysample, but called"):
        diagnose(nn.Conv2d(8, 8, 1), torch.zeros(1, 8, 4, 4))
