"""A user's mistakes in calls of `point_sample`, `reassemble`, `dysample` and `carafe`."""

from __future__ import annotations

import pytest
import torch

from dysample import functional
from support.tensors import OF_ANOTHER_KIND

X = torch.zeros(2, 4, 3, 3)


@pytest.mark.parametrize(
    ("error", "match", "x", "offset"),
    [
        (TypeError, "`x` must be a tensor, not list", [1.0], torch.zeros(2, 2, 6, 6)),
        (ValueError, r"`x` must have 4 axes \(B, C, H, W\), not 3", X[0], X),
        (TypeError, "`x` must be floating, not torch.int64", X.long(), X),
        (ValueError, r"`x` height \(=0\) must be at least 1", X[:, :, :0], X),
        (ValueError, r"`offset` width \(=0\) must be at least 1", X, X[..., :0]),
        (ValueError, r"`offset` batch \(=1\) must equal that of `x` \(=2\)", X, X[:1]),
        (ValueError, r"`offset` channels \(=3\) must be 2 \* groups", X, X[:, :3]),
        (ValueError, r"`groups` \(=3\) must divide channels \(=4\)", X, torch.zeros(2, 6, 6, 6)),
        (ValueError, "`offset` device .* must equal that of `x`", X, X.to("meta")),
    ],
)
def test_point_sample_refuses(error: type[Exception], match: str, x, offset) -> None:
    with pytest.raises(error, match=match):
        functional.point_sample(x, offset)


def test_point_sample_refuses_an_unknown_start() -> None:
    with pytest.raises(ValueError, match=r"`start` \(='middle'\) must be one of 'bilinear'"):
        functional.point_sample(X, X, start="middle")


@pytest.mark.parametrize(
    ("error", "match", "weight"),
    [
        (TypeError, "`weight` must be a tensor, not int", 3),
        (ValueError, r"`weight` must have 5 axes \(B, G, k\*k, H', W'\), not 4", X),
        (TypeError, "`weight` must be floating, not torch.int32", torch.zeros(2, 1, 9, 6, 6).int()),
        (
            ValueError,
            r"`weight` axis 2 \(=16\) must be the square of an odd",
            torch.zeros(2, 1, 16, 6, 6),
        ),
        (
            ValueError,
            r"`weight` axis 2 \(=8\) must be the square of an odd",
            torch.zeros(2, 1, 8, 6, 6),
        ),
        (ValueError, r"`groups` \(=3\) must divide channels \(=4\)", torch.zeros(2, 3, 9, 6, 6)),
        (ValueError, r"`weight` axis 4 \(=0\) must be at least 1", torch.zeros(2, 1, 9, 6, 0)),
        (ValueError, r"`weight` axis 1 \(=0\) must be at least 1", torch.zeros(2, 0, 9, 6, 6)),
        (ValueError, r"`weight` axis 2 \(=0\) must be the square", torch.zeros(2, 1, 0, 6, 6)),
    ],
)
def test_reassemble_refuses(error: type[Exception], match: str, weight) -> None:
    with pytest.raises(error, match=match):
        functional.reassemble(X, weight)


def test_papers_functions_refuse_fields_that_do_not_fit() -> None:
    with pytest.raises(
        ValueError, match=r"`offset` channels \(=10\) must be a multiple of 2 \* scale"
    ):
        functional.dysample(X, torch.zeros(2, 10, 3, 3), 2)
    with pytest.raises(ValueError, match=r"`offset` size \(=\(6, 6\)\) must equal that of `x`"):
        functional.dysample(X, torch.zeros(2, 8, 6, 6), 2)
    with pytest.raises(ValueError, match=r"`logits` channels \(=72\) must be groups"):
        functional.carafe(X, torch.zeros(2, 72, 3, 3), 2, kernel=3, groups=1)
    with pytest.raises(ValueError, match=r"`kernel` \(=4\) must be odd"):
        functional.carafe(X, X, 2, kernel=4)


def random(*shape: int) -> torch.Tensor:
    return torch.rand(2, *shape)


Q, K = random(4, 6, 6), random(4, 3, 3)
CALLS = {
    "point_sample": ({}, {"x": K, "offset": Q}),
    "reassemble": ({}, {"x": K, "weight": random(2, 9, 6, 6)}),
    "affinity": ({"kernel": 3}, {"query": Q, "key": K}),
    "point_attention": ({}, {"x": K, "query": Q, "key": K, "offset": random(8, 6, 6)}),
    "dysample": ({"scale": 2}, {"x": K, "offset": random(8, 3, 3)}),
    "carafe": ({"scale": 2, "kernel": 3}, {"x": K, "logits": random(36, 3, 3)}),
    "sapa": ({"kernel": 3}, {"x": K, "query": Q, "key": K}),
}
each_argument = pytest.mark.parametrize(
    ("name", "argument"), [(name, one) for name, (_, all_of) in CALLS.items() for one in all_of]
)


def call_with(name: str, argument: str, value: object) -> torch.Tensor:
    options, tensors = CALLS[name]
    out: torch.Tensor = getattr(functional, name)(**{**tensors, argument: value}, **options)
    return out


@each_argument
@pytest.mark.parametrize(("what", "change"), OF_ANOTHER_KIND)
def test_numbers_of_another_kind_are_refused(name: str, argument: str, what: str, change) -> None:
    value = CALLS[name][1][argument]
    assert call_with(name, argument, value).isfinite().all()
    with pytest.raises(TypeError, match=rf"^`{argument}` must be {what}$"):
        call_with(name, argument, change(value))


@each_argument
@pytest.mark.parametrize("axis", [1, 2, 3])
def test_nothing_along_an_axis_is_refused(name: str, argument: str, axis: int) -> None:
    value = CALLS[name][1][argument].narrow(axis, 0, 0)
    with pytest.raises(
        ValueError, match=rf"^`{argument}` (channels|height|width|axis .) \(=0\) must"
    ):
        call_with(name, argument, value)
