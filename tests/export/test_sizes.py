"""The inputs at other sizes."""

from __future__ import annotations

import torch

from dysample.export.sizes import AXES, other_sizes, traceable


def shapes(args: tuple) -> list[tuple[int, ...]]:
    return [tuple(x.shape) for x in args]


def test_maps_keep_their_proportions() -> None:
    args = (torch.randn(2, 4, 5, 7), torch.randn(2, 3, 10, 14))
    one, three = other_sizes(args, tuple(AXES))
    assert shapes(one) == [(1, 4, 6, 9), (1, 3, 12, 18)]
    assert shapes(three) == [(3, 4, 8, 8), (3, 3, 16, 16)]


def test_images_stay_multiples_of_their_strides() -> None:
    one, three = other_sizes((torch.randn(1, 3, 64, 96),), tuple(AXES))
    assert shapes(one) == [(1, 3, 96, 160)]
    assert shapes(three) == [(3, 3, 160, 128)]
    (odd, _) = other_sizes((torch.randn(1, 3, 61, 48),), tuple(AXES))
    assert shapes(odd) == [(1, 3, 62, 80)]


def test_what_is_not_dynamic_stays() -> None:
    one, three = other_sizes((torch.randn(2, 3, 8, 8),), ("width",))
    assert shapes(one) == [(2, 3, 8, 24)]
    assert shapes(three) == [(2, 3, 8, 16)]
    args = (torch.randn(2, 3),)
    assert other_sizes(args, ()) == [args]


def test_values_are_the_arguments_own() -> None:
    x = torch.tensor([3, 7], dtype=torch.uint8).repeat(1, 1, 4, 2)
    for (other,) in other_sizes((x,), tuple(AXES)):
        assert other.dtype == torch.uint8
        assert set(other.unique().tolist()) == {3, 7}


def test_a_constant_becomes_noise() -> None:
    # Zeros would hide any error of sampling.
    for (other,) in other_sizes((torch.zeros(1, 2, 4, 4),), tuple(AXES)):
        assert other.unique().numel() > 10


def test_a_batch_of_one_is_traced_as_two() -> None:
    args = (torch.randn(1, 2, 4, 4), torch.randn(1, 9))
    assert shapes(traceable(args, ("batch",))) == [(2, 2, 4, 4), (1, 9)]
    assert shapes(traceable(args, ("height",))) == [(1, 2, 4, 4), (1, 9)]
