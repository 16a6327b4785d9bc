import math
from fractions import Fraction

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from dysample.geometry import (
    bilinear_positions,
    ceil_scale,
    nearest_index,
    read_nearest,
    regular_position,
    scaled_length,
    scaled_size,
)

CPU = torch.device("cpu")
lengths = st.integers(1, 60)


def exact_position(out_index: int, out_length: int, in_length: int) -> Fraction:
    return (out_index + Fraction(1, 2)) * in_length / out_length - Fraction(1, 2)


@given(lengths, lengths)
def test_nearest_index_holds_the_centre(out_length: int, in_length: int) -> None:
    index = nearest_index(out_length, in_length, CPU).tolist()
    exact = [exact_position(Y, out_length, in_length) for Y in range(out_length)]
    assert index == [math.floor(position + Fraction(1, 2)) for position in exact]


@given(lengths, lengths)
def test_regular_position_is_exact(out_length: int, in_length: int) -> None:
    whole, part = regular_position(out_length, in_length, "bilinear", torch.float64, CPU)
    for Y in range(out_length):
        exact = exact_position(Y, out_length, in_length)
        assert abs(float(exact) - (int(whole[Y]) + float(part[Y]))) < 1e-14
    assert ((part >= -0.5) & (part < 0.5)).all()


def test_regular_position_nearest_start_has_no_fraction() -> None:
    whole, part = regular_position(7, 3, "nearest", torch.float32, CPU)
    assert whole.tolist() == nearest_index(7, 3, CPU).tolist()
    assert part.tolist() == [0.0] * 7


@pytest.mark.parametrize(
    ("scale_factor", "scale", "size"),
    [
        (2, 2, (10, 14)),
        (1.5, 2, (7, 10)),  # floor, as torch.nn.Upsample
        (0.5, 1, (2, 3)),  # downsampling: one sub-pixel
        (3.0, 3, (15, 21)),
    ],
)
def test_scales(scale_factor: float, scale: int, size: tuple[int, int]) -> None:
    assert ceil_scale(scale_factor) == scale
    assert scaled_size(5, 7, scale_factor) == size


def test_read_nearest_equals_indexing() -> None:
    field = torch.randn(2, 3, 4, 6)
    rows, columns = nearest_index(7, 4, CPU), nearest_index(5, 6, CPU)
    assert torch.equal(read_nearest(field, (7, 5)), field[:, :, rows][:, :, :, columns])
    assert read_nearest(field, (4, 6)) is field


@pytest.mark.parametrize("scale_factor", [0.3, 0.7, 1.1, 1.3, 4 / 3, 1.5, 1.75, 2, 2.9, 3.0])
def test_lengths_are_rounded_as_torch_rounds(scale_factor: float) -> None:
    for length in range(4, 300, 7):
        found = F.interpolate(torch.zeros(1, 1, length), scale_factor=scale_factor)
        assert scaled_length(length, scale_factor) == found.shape[-1]


def test_bilinear_positions() -> None:
    positions = bilinear_positions((8, 10), (4, 5))
    assert (positions.shape, positions.dtype) == ((2, 8, 10), torch.float64)
    for row in range(8):
        assert positions[0, row].tolist() == [column / 2 - 0.25 for column in range(10)]
    for column in range(10):
        assert positions[1, :, column].tolist() == [row / 2 - 0.25 for row in range(8)]
