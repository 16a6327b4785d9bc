"""What every upsampler says that it reads gives its result, by the definitions alone."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from dysample import Inspection, Upsampler, functional
from support.upsamplers import C, each_guided, each_name, features, guide_for, lively


def sampled(values: Tensor, positions: Tensor, weights: Tensor | None) -> Tensor:
    B, G, P, _, Y, X = positions.shape
    high, wide = values.shape[2:]
    extent = torch.tensor([wide, high], dtype=values.dtype).view(2, 1, 1)
    grid = ((2 * positions + 1) / extent - 1).movedim(3, -1).reshape(B * G, P * Y, X, 2)
    parts = values.reshape(B * G, -1, high, wide)
    padding = "border" if weights is None else "zeros"  # of SAPA-D what lies outside is 0
    taps = F.grid_sample(parts, grid, padding_mode=padding, align_corners=False)
    taps = taps.reshape(B, G, -1, P, Y, X)
    one = torch.ones(B, G, P, Y, X, dtype=values.dtype)
    return (taps * (one if weights is None else weights).unsqueeze(2)).sum(3).reshape(B, -1, Y, X)


def of_inspection(seen: Inspection, guide: Tensor | None) -> Tensor | None:
    """The result that an inspection describes; None of fixed interpolation and convolutions."""
    if seen.positions is not None:
        return sampled(seen.values, seen.positions, seen.weights)
    if seen.kernels is None:
        return None
    out = functional.reassemble(seen.values, seen.kernels)
    return out if seen.gate is None else seen.gate * guide + (1 - seen.gate) * out


@each_name
@pytest.mark.parametrize("size", [None, (9, 11)])
def test_the_inspection_gives_the_result(name: str, size: tuple[int, int] | None) -> None:
    up, x = lively(name), features()
    guide = guide_for(up, x, size)
    seen = up.inspect(x, guide, size)
    out = of_inspection(seen, guide)
    if name in ("nearest", "bilinear", "deconv", "pixel_shuffle"):
        assert out is None
        assert torch.equal(seen.values, x)
    else:
        assert out is not None
        torch.testing.assert_close(out, up(x, guide, size=size))


@pytest.mark.parametrize("name", ["dysample", "carafe", "fade_lite", "sapa_b", "sapa_d"])
def test_values_are_those_behind_the_projection(name: str) -> None:
    # FADE's gate needs a guide of the output's channels.
    options = {"guide_channels": C // 2} if name == "fade_lite" else {}
    up, x = lively(name, out_channels=C // 2, **options), features()
    guide = guide_for(up, x)
    out = of_inspection(up.inspect(x, guide), guide)
    assert out is not None
    torch.testing.assert_close(out, up(x, guide))


@each_guided
def test_a_guide_is_asked_for(name: str) -> None:
    with pytest.raises(ValueError, match=r"^`guide` must be given: .* reads a finer feature map"):
        lively(name).inspect(features())


def test_a_class_that_reads_a_guide_says_so_by_its_base() -> None:
    class Old(Upsampler):
        guided = True

        def upsample(self, x, guide, size):
            return x

        def macs(self, height, width, size=None):
            return 0

    with pytest.raises(TypeError, match=r"^Old reads a guide: it must derive from Guided$"):
        Old(4)
