"""One tester for the family: what holds for every registered upsampler."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from dysample import create_upsampler
from support.tolerances import ATOL
from support.upsamplers import GUIDED, NAMES, C, features, guide_for, lively, on_each_backend

each_name = on_each_backend(NAMES)
each_guided = on_each_backend(GUIDED)
pytestmark = pytest.mark.usefixtures("backend")

# "pl" makes C / s^2 channels, so that C must be divisible by s^2: not by 3^2.
PIXEL_SHUFFLED = ("dysample_s", "dysample_s_plus")
SCALES = [
    (2, (10, 14)),
    (3, (15, 21)),
    (4.0, (20, 28)),
    (1.5, (7, 10)),  # floor, as torch.nn.Upsample
    (1, (5, 7)),
    (0.5, (2, 3)),
]


@each_name
def test_scale_factor(name: str) -> None:
    for scale_factor, size in SCALES:
        if name in PIXEL_SHUFFLED and scale_factor == 3:
            continue
        up, x = lively(name, scale_factor), features()
        assert up(x, guide_for(up, x)).shape == (2, C, *size)


@each_name
def test_any_target_size(name: str) -> None:
    up, x = lively(name), features()
    for size in ((13, 9), (9, 13), (10, 14), (5, 7), (3, 2), (1, 1)):
        assert up(x, guide_for(up, x, size), size=size).shape == (2, C, *size)
    assert up(x, guide_for(up, x, (8, 8)), size=8).shape == (2, C, 8, 8)


@each_name
def test_size_at_a_whole_multiple_changes_nothing(name: str) -> None:
    up, x = lively(name), features()
    guide = guide_for(up, x)
    assert torch.equal(up(x, guide, size=(10, 14)), up(x, guide))


@each_name
def test_guide_gives_the_size(name: str) -> None:
    up, x = lively(name), features()
    channels = up.guide_channels if up.guided else 3
    guide = torch.randn(2, channels, 9, 13, dtype=torch.float64)
    out = up(x, guide)
    assert out.shape == (2, C, 9, 13)
    assert torch.equal(up(x, guide, size=(9, 13)), out)
    if not up.guided:
        assert torch.equal(up(x, size=(9, 13)), out)


@each_guided
def test_guide_is_read(name: str) -> None:
    up, x = lively(name), features()
    guide, other = guide_for(up, x), guide_for(up, x)
    assert not torch.allclose(up(x, guide), up(x, other))


@each_name
def test_out_channels(name: str) -> None:
    # The gate blends the guide with the result: their channels are equal.
    gated = {"guide_channels": 8} if name in ("fade", "fade_lite") else {}
    up, x = lively(name, out_channels=8, **gated), features()
    assert up.out_channels == 8
    assert up(x, guide_for(up, x)).shape == (2, 8, 10, 14)


# The others learn from scratch: there is nothing to keep.
@on_each_backend([name for name in NAMES if name not in ("deconv", "pixel_shuffle")])
def test_a_fractional_size_lies_near_the_whole_one(name: str) -> None:
    # One pixel less than twice the size moves no sample by more than half a low-res pixel, so a
    # smooth map stays put; an off-by-one in the field's index would not.
    up = create_upsampler(name, C).double().eval()
    ramp = torch.linspace(0, 1, 32, dtype=torch.float64)
    x = (ramp.view(-1, 1) + ramp).expand(1, C, 32, 32)
    inner = (slice(None), slice(None), slice(8, 54), slice(8, 54))
    whole, less = (
        up(x, F.interpolate(x, size, mode="bilinear"))[inner] for size in ((64, 64), (63, 63))
    )
    assert float((whole - less).detach().abs().max()) < 0.08


@each_name
def test_gradients_reach_every_parameter(name: str) -> None:
    up, x = lively(name), features().requires_grad_()
    guide = guide_for(up, x, (9, 13))
    inputs = [x] if guide is None else [x, guide.requires_grad_()]
    up(x, guide, size=(9, 13)).square().sum().backward()
    for tensor in inputs:
        assert tensor.grad is not None
        assert tensor.grad.abs().sum() > 0
    for key, parameter in up.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.abs().sum() > 0, key


@each_guided
def test_gradcheck(name: str) -> None:
    up, x = lively(name), features(1, 2, 3).requires_grad_()
    for size in ((4, 6), (5, 4)):
        guide = guide_for(up, x, size).requires_grad_()
        assert torch.autograd.gradcheck(up, (x, guide), fast_mode=True)


@each_name
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_low_precision(name: str, dtype: torch.dtype) -> None:
    up, x = lively(name).to(dtype), features().to(dtype)
    guide = guide_for(up, x)
    out = up(x, guide)
    assert out.dtype == dtype
    # The convolutions before the sampling round in `dtype` too: ten times one rounding.
    exact = copy.deepcopy(up).double()(x.double(), None if guide is None else guide.double())
    error = (out.double() - exact).detach().abs().max()
    assert float(error) < 10 * ATOL["eager"][dtype] * max(1.0, float(out.detach().abs().max()))


@each_name
def test_autocast(name: str) -> None:
    up, x = lively(name).float(), features().float()
    guide = guide_for(up, x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = up(x, guide)
    assert float((out.float() - up(x, guide)).detach().abs().max()) < 0.2


@each_name
def test_memory_formats(name: str) -> None:
    up, x = lively(name), features()
    guide = guide_for(up, x)
    expected = up(x, guide)
    last = up(_channels_last(x), _channels_last(guide))
    torch.testing.assert_close(last, expected, rtol=0, atol=1e-12)
    assert last.is_contiguous(memory_format=torch.channels_last)
    strided = up(_strided(x), _strided(guide))
    torch.testing.assert_close(strided, expected, rtol=0, atol=1e-12)


def _channels_last(value: Tensor | None) -> Tensor | None:
    return None if value is None else value.contiguous(memory_format=torch.channels_last)


def _strided(value: Tensor | None) -> Tensor | None:
    return None if value is None else value.repeat_interleave(2, dim=-1)[..., ::2]


@each_name
def test_edges_of_shape(name: str) -> None:
    up = lively(name)
    for x, size in (
        (features(batch=0), (10, 14)),
        (features(batch=0), (9, 13)),
        (features(height=1, width=1), (2, 2)),
        (features(1, 1, 1), (1, 1)),
        (features(height=1, width=9), (3, 4)),
    ):
        guide = guide_for(up, x.requires_grad_(), size)
        out = up(x, guide, size=size)
        assert out.shape == (x.shape[0], C, *size)
        out.sum().backward()
        assert x.grad.shape == x.shape


@each_name
def test_batch_elements_do_not_mix(name: str) -> None:
    up, x = lively(name), features()
    guide = guide_for(up, x)
    alone = up(x[1:], None if guide is None else guide[1:])
    torch.testing.assert_close(up(x, guide)[1:], alone, rtol=0, atol=1e-12)


@each_name
def test_state_round_trip_and_copy(name: str) -> None:
    up, x = lively(name), features()
    guide = guide_for(up, x)
    other = create_upsampler(name, C).double().eval()
    other.load_state_dict(up.state_dict())
    assert torch.equal(other(x, guide), up(x, guide))
    assert torch.equal(copy.deepcopy(up)(x, guide), up(x, guide))


@each_name
def test_constructing_and_calling_prints_no_warning(name: str) -> None:
    up, x = create_upsampler(name, C), features().float()
    up(x, guide_for(up, x))  # warnings are errors here
    assert "scale_factor=2" in repr(up)


def test_the_former_name_of_the_whole_scale_warns() -> None:
    up = create_upsampler("bilinear", 4, 1.5)
    with pytest.warns(DeprecationWarning, match="Bilinear.scale is now ceil_scale, as it is"):
        assert up.scale == up.ceil_scale == 2
