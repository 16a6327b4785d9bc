"""What a reading says is what the upsampler does: the output is rebuilt from it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from dysample import create_upsampler
from dysample.workbench.look.reading import Reading, owner, read

LOW = (4, 5)


def lively(name: str, **options) -> torch.nn.Module:
    up = create_upsampler(name, 32, 2, **options).double().eval()
    with torch.no_grad():
        for parameter in up.parameters():
            parameter.copy_(0.2 * torch.randn_like(parameter))
    return up


def pair(size: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.randn(1, 32, *LOW, dtype=torch.float64)
    return x, torch.randn(1, 32, *size, dtype=torch.float64)


def sampled(x: torch.Tensor, places: np.ndarray, padding: str) -> torch.Tensor:
    """(C, N)"""
    H, W = x.shape[2:]
    grid = torch.from_numpy((places + 0.5) * np.array([2 / W, 2 / H]) - 1)
    return F.grid_sample(x, grid[None, None], padding_mode=padding, align_corners=False)[0, :, 0]


@pytest.mark.parametrize("size", [(8, 10), (7, 9)], ids=str)
@pytest.mark.parametrize(
    "name", ["carafe", "sapa_b", "sapa_i", "a2u", "indexnet", "nearest", "bilinear"]
)
def test_weights_at_places_give_the_output(name: str, size: tuple[int, int]) -> None:
    up, (x, guide) = lively(name), pair(size)
    for pixel in ((0, 0), (3, 4), (6, 8)):
        reading = read(up, x, guide, size, pixel)
        values = sampled(x, reading.places, "zeros")
        out = up(x, guide if up.guided else None, size=size)[0, :, pixel[0], pixel[1]]
        torch.testing.assert_close(values @ torch.from_numpy(reading.weights), out.detach())
        assert reading.ties is None


def test_points_of_dysample() -> None:
    up, (x, _) = lively("dysample"), pair((8, 10))
    reading = read(up, x, None, (8, 10), (3, 4))
    assert reading.group.tolist() == [0, 1, 2, 3]
    np.testing.assert_allclose(reading.ties, [[1.75, 1.25]] * 4)
    values = sampled(x, reading.places, "border")
    out = up(x)[0, :, 3, 4]
    for group in range(4):
        part = slice(8 * group, 8 * group + 8)
        torch.testing.assert_close(values[part, group], out[part].detach())


def test_points_of_sapa_d() -> None:
    up, (x, guide) = lively("sapa_d"), pair((8, 10))
    reading = read(up, x, guide, (8, 10), (3, 4))
    assert reading.group.tolist() == np.repeat(range(4), 9).tolist()
    np.testing.assert_array_equal(reading.ties, [[2, 1]] * 36)
    values, weights = sampled(x, reading.places, "zeros"), torch.from_numpy(reading.weights)
    out = up(x, guide)[0, :, 3, 4]
    for group in range(4):
        part, mine = slice(8 * group, 8 * group + 8), slice(9 * group, 9 * group + 9)
        torch.testing.assert_close(values[part, mine] @ weights[mine], out[part].detach())


@pytest.mark.parametrize("name", ["deconv", "pixel_shuffle"])
def test_others_show_what_the_output_depends_on(name: str) -> None:
    up, (x, _) = lively(name), pair((8, 10))
    reading = read(up, x, None, (8, 10), (3, 4))
    before = up(x)[0, :, 3, 4]
    for row in range(LOW[0]):
        for column in range(LOW[1]):
            moved = x.clone()
            moved[..., row, column] += 1
            depends = not torch.equal(up(moved)[0, :, 3, 4], before)
            assert depends == ([column, row] in reading.places.tolist())


def test_grouped_kernels_are_shown_by_their_mean() -> None:
    up, (x, _) = lively("carafe", up_group=4), pair((8, 10))
    reading = read(up, x, None, (8, 10), (3, 4))
    expected = up.kernels(x)[0, :, :, 3, 4].mean(0).detach().numpy()
    np.testing.assert_allclose(reading.weights, expected)
    assert isinstance(reading, Reading)


def test_owners() -> None:
    assert owner((8, 10), LOW, (3, 4)) == (1, 2)
    assert owner((7, 9), LOW, (6, 8)) == (3, 4)
