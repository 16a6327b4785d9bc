"""What modules say that they do is what they do: kernels and attention reproduce forward."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from dysample import create_upsampler, functional

SIZES = pytest.mark.parametrize("size", [(8, 10), (7, 9)], ids=str)


def lively(name: str, **options) -> torch.nn.Module:
    """In float64, with weights large enough that kernels are far from uniform."""
    up = create_upsampler(name, 32, 2, **options).double().eval()
    with torch.no_grad():
        for parameter in up.parameters():
            parameter.copy_(0.3 * torch.randn_like(parameter))
    return up


def pair(size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    x = torch.randn(2, 32, 4, 5, dtype=torch.float64)
    return x, torch.randn(2, 32, *size, dtype=torch.float64)


@SIZES
@pytest.mark.parametrize("groups", [1, 4])
def test_kernels_of_carafe(size: tuple[int, int], groups: int) -> None:
    up = lively("carafe", up_group=groups, out_channels=16)
    x, _ = pair(size)
    expected = functional.reassemble(up.project(x), up.kernels(x, size))
    torch.testing.assert_close(up(x, size=size), expected, rtol=0, atol=1e-12)
    assert up.kernels(x).shape == (2, groups, 25, 8, 10)


@SIZES
@pytest.mark.parametrize("name", ["a2u", "indexnet", "sapa_i", "sapa_b", "sapa_g"])
def test_kernels_of_guided_upsamplers(name: str, size: tuple[int, int]) -> None:
    up = lively(name)
    x, guide = pair(size)
    expected = functional.reassemble(x, up.kernels(x, guide))
    torch.testing.assert_close(up(x, guide), expected, rtol=0, atol=1e-12)


@SIZES
@pytest.mark.parametrize("name", ["fade", "fade_lite"])
def test_kernels_and_gate_of_fade(name: str, size: tuple[int, int]) -> None:
    up = lively(name)
    x, guide = pair(size)
    gate = up.gate(x, size)
    expected = gate * guide + (1 - gate) * functional.reassemble(x, up.kernels(x, guide))
    torch.testing.assert_close(up(x, guide), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["fade", "fade_lite"])
def test_without_gating_there_is_no_gate(name: str) -> None:
    up = lively(name, gating=False)
    with pytest.raises(ValueError, match="`gating` \\(=False\\)"):
        up.gate(pair((8, 10))[0], (8, 10))


@SIZES
@pytest.mark.parametrize("high_offset", [True, False])
def test_attention_of_sapa_d(size: tuple[int, int], high_offset: bool) -> None:
    up = lively("sapa_d", high_offset=high_offset)
    x, guide = pair(size)
    positions, weights = up.attention(x, guide)
    assert positions.shape == (2, 4, 9, 2, *size)
    assert weights.shape == (2, 4, 9, *size)
    steps = torch.tensor([2 / 5, 2 / 4], dtype=x.dtype).view(2, 1, 1)
    grid = ((positions + 0.5) * steps - 1).movedim(3, -1)
    out = torch.zeros(8, 8, *size, dtype=x.dtype)
    for point in range(9):
        where = grid[:, :, point].flatten(0, 1)
        sampled = F.grid_sample(x.reshape(8, 8, 4, 5), where, align_corners=False)
        out += sampled * weights[:, :, point].flatten(0, 1).unsqueeze(1)
    torch.testing.assert_close(up(x, guide), out.reshape(2, 32, *size), rtol=0, atol=1e-12)
