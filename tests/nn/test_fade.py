from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from dysample import FADE, FADELite, functional

pytestmark = pytest.mark.usefixtures("backend")

BOTH = pytest.mark.parametrize("variant", [FADE, FADELite])


def lively(variant: type[FADE | FADELite], *args: int, **options) -> FADE | FADELite:
    """In float64, with biases too."""
    up = variant(*args, **options).double()
    with torch.no_grad():
        for parameter in up.parameters():
            parameter.copy_(0.3 * torch.randn_like(parameter))
    return up


def pair(channels: int, guide_channels: int, size=(4, 5), guide_size=(8, 10)):
    x = torch.randn(1, channels, *size, dtype=torch.float64)
    return x, torch.randn(1, guide_channels, *guide_size, dtype=torch.float64)


def by_definition(up: FADE | FADELite, x: Tensor, guide: Tensor) -> tuple[Tensor, Tensor]:
    """(reassembled, gate), written out with the spec's symbols."""
    generator, size = up.ker_generator, guide.shape[-2:]
    weight, bias = generator.content_encoder.weight, generator.content_encoder.bias
    groups = up.up_kernel**2 if isinstance(up, FADELite) else 1
    of_guide = F.conv2d(guide, generator.compressor_en.weight, generator.compressor_en.bias)
    fine = F.conv2d(of_guide, weight, bias, padding=1, groups=groups)
    of_x = F.conv2d(x, generator.compressor_de.weight)
    coarse = F.conv2d(of_x, weight, bias, padding=1, groups=groups)
    kernels = (fine + F.interpolate(coarse, size, mode="nearest-exact")).softmax(1)
    gate = torch.ones(1, 1, 1, 1, dtype=x.dtype)
    if up.gating:
        logits = F.conv2d(x, up.gate_generator.conv.weight, up.gate_generator.conv.bias)
        gate = F.interpolate(logits.sigmoid(), size, mode="nearest-exact")
    return functional.reassemble(x, kernels.unsqueeze(1)), gate


@BOTH
@pytest.mark.parametrize("guide_size", [(8, 10), (7, 9), (12, 11), (3, 4)], ids=str)
def test_equals_its_definition(variant, guide_size) -> None:
    up = lively(variant, 4, up_kernel=3)
    x, guide = pair(4, 4, guide_size=guide_size)
    reassembled, gate = by_definition(up, x, guide)
    expected = gate * guide + (1 - gate) * reassembled
    torch.testing.assert_close(up(x, guide), expected, rtol=0, atol=1e-12)


@BOTH
def test_without_gating_the_guide_may_have_any_channels(variant) -> None:
    up = lively(variant, 4, guide_channels=3, gating=False)
    x, guide = pair(4, 3)
    torch.testing.assert_close(up(x, guide), by_definition(up, x, guide)[0], rtol=0, atol=1e-12)
    assert not [key for key in up.state_dict() if key.startswith("gate_generator")]


@BOTH
def test_gate_1_is_the_guide_and_gate_0_the_reassembly(variant) -> None:
    up = lively(variant, 4, out_channels=6, guide_channels=6)
    x, guide = pair(4, 6)
    torch.nn.init.constant_(up.gate_generator.conv.bias, 1e4)
    assert torch.equal(up(x, guide), guide)
    torch.nn.init.constant_(up.gate_generator.conv.bias, -1e4)
    assert torch.equal(up(x, guide), functional.reassemble(up.project(x), up.kernels(x, guide)))


@BOTH
def test_equal_logits_are_a_box_filter(variant) -> None:
    up = lively(variant, 4, up_kernel=3, gating=False)
    torch.nn.init.zeros_(up.ker_generator.content_encoder.weight)
    torch.nn.init.ones_(up.ker_generator.content_encoder.bias)
    x, guide = pair(4, 4)
    box = F.avg_pool2d(x, 3, stride=1, padding=1)
    torch.testing.assert_close(up(x, guide), F.interpolate(box, scale_factor=2))


@BOTH
def test_bias_enters_twice(variant) -> None:
    up = lively(variant, 4, up_kernel=3, gating=False)
    torch.nn.init.zeros_(up.ker_generator.content_encoder.weight)
    bias = up.ker_generator.content_encoder.bias
    kernels = up.kernels(*pair(4, 4))
    torch.testing.assert_close(kernels[0, 0, :, 3, 4], (2 * bias).softmax(0))


@BOTH
def test_encoder_reads_x_at_its_own_resolution(variant) -> None:
    up, sizes = variant(4), []
    up.ker_generator.content_encoder.register_forward_hook(
        lambda module, inputs, output: sizes.append(tuple(inputs[0].shape[-2:]))
    )
    up(torch.randn(1, 4, 4, 5), torch.randn(1, 4, 16, 20))
    assert sorted(sizes) == [(4, 5), (16, 20)]


@BOTH
def test_whole_pixel_translation_commutes_away_from_the_border(variant) -> None:
    up = lively(variant, 4, up_kernel=3)
    x, guide = pair(4, 4, (12, 12), (24, 24))
    out = up(x, guide)
    moved = up(x.roll((1, 2), dims=(2, 3)), guide.roll((2, 4), dims=(2, 3)))
    inner = (slice(None), slice(None), slice(8, 16), slice(8, 16))
    torch.testing.assert_close(moved.roll((-2, -4), dims=(2, 3))[inner], out[inner])


def test_lite_is_fade_with_a_diagonal_encoder() -> None:
    lite, up = lively(FADELite, 4), lively(FADE, 4, embedding=25)
    state = lite.state_dict()
    key = "ker_generator.content_encoder.weight"
    state[key] = torch.eye(25).view(25, 25, 1, 1) * state[key]
    up.load_state_dict(state)
    x, guide = pair(4, 4)
    torch.testing.assert_close(up(x, guide), lite(x, guide), rtol=0, atol=1e-12)


def first_release(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A checkpoint as the first release (FADE_H2L.py) names it."""
    names = {
        "ker_generator.compressor_en.weight": "kernel_generator.conv1_en.weight",
        "ker_generator.compressor_en.bias": "kernel_generator.conv1_en.bias",
        "ker_generator.compressor_de.weight": "kernel_generator.conv1_de.weight",
        "ker_generator.content_encoder.weight": "kernel_generator.conv2_kernels",
        "ker_generator.content_encoder.bias": "kernel_generator.conv2_bias",
    }
    return {names.get(key, key): value for key, value in state.items()}


def test_both_published_layouts_load() -> None:
    theirs = lively(FADE, 4, embedding=8)
    x, guide = pair(4, 4)
    for state in (theirs.state_dict(), first_release(theirs.state_dict())):
        ours = FADE(4, embedding=8).double()
        ours.load_state_dict(state)
        assert torch.equal(ours(x, guide), theirs(x, guide))


def test_first_release_loads_inside_a_model() -> None:
    model = torch.nn.Sequential(torch.nn.Identity(), FADE(4))
    theirs = first_release(FADE(4).state_dict())
    model.load_state_dict({f"1.{key}": value for key, value in theirs.items()})
    loaded = model[1].ker_generator.content_encoder.weight
    assert torch.equal(loaded, theirs["kernel_generator.conv2_kernels"])


def test_wrong_checkpoints_name_each_key() -> None:
    state = first_release(FADE(4).state_dict())
    del state["kernel_generator.conv2_bias"]
    state["kernel_generator.conv3"] = state["kernel_generator.conv1_en.bias"]
    with pytest.raises(
        RuntimeError,
        match=r"(?s)Missing.*ker_generator.content_encoder.bias.*Unexpected.*kernel_generator.conv3",
    ):
        FADE(4).load_state_dict(state)
    with pytest.raises(RuntimeError, match=r"Unexpected.*gate_generator.conv.weight"):
        FADE(4, gating=False).load_state_dict(FADE(4).state_dict())
    with pytest.raises(RuntimeError, match=r"size mismatch for ker_generator.compressor_de.weight"):
        FADE(4, embedding=8).load_state_dict(FADE(4).state_dict())


def test_starts_xavier_uniform_without_biases() -> None:
    up = FADE(64)
    encoder = up.ker_generator.content_encoder
    bound = (6 / (9 * 64 + 9 * 25)) ** 0.5
    largest = float(encoder.weight.detach().abs().max())
    assert 0.99 * bound < largest <= bound
    assert not any(p.any() for key, p in up.named_parameters() if key.endswith("bias"))
