"""When outputs count as equal."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from dysample.export import ExportError
from dysample.export.check import (
    InexactError,
    _allowed,
    _beside_float64,
    _error,
    one_line,
    output_names,
)


def test_errors_are_relative_to_the_largest_value() -> None:
    wanted = torch.tensor([1000.0, 1.0])
    assert _error("here", "out", wanted + 0.05, wanted) == pytest.approx(5e-5, rel=1e-2)
    assert _error("here", "out", wanted + 0.2, wanted) == pytest.approx(2e-4, rel=1e-2)


def test_nan_is_never_equal() -> None:
    nan = torch.tensor([float("nan")])
    assert math.isnan(_error("here", "out", nan, torch.ones(1)))
    assert math.isnan(_error("here", "out", nan, nan))


def test_infinite_values_are_equal_to_themselves() -> None:
    # Masked logits, for example.
    wanted = torch.tensor([-math.inf, 2.0])
    assert _error("here", "out", wanted, wanted) == 0
    assert _error("here", "out", torch.tensor([-math.inf, 2.5]), wanted) == 0.25
    assert _error("here", "out", torch.tensor([-9.0, 2.0]), wanted) == math.inf


def test_whole_numbers_must_be_equal() -> None:
    wanted = torch.tensor([100000, 2])
    assert _error("here", "out", wanted, wanted) == 0
    assert _error("here", "out", wanted + 1, wanted) > _allowed(wanted, rtol=0.5)


def test_tolerances_are_of_the_dtype_or_one_s_own() -> None:
    assert _allowed(torch.ones(1), None) == 1e-4
    assert _allowed(torch.ones(1).half(), None) == 2e-2
    assert _allowed(torch.ones(1), 1e-3) == 1e-3


def test_shapes_must_be_equal() -> None:
    with pytest.raises(ExportError, match=r"has shape \(1, 2\), the model's \(2,\)"):
        _error("here", "out", torch.ones(1, 2), torch.ones(2))


class _Cancels(nn.Module):
    """Adds and subtracts a large number: float32 keeps few digits of what is left."""

    def forward(self, x: Tensor) -> Tensor:
        return (x + 1e4) - 1e4


class _Single(nn.Module):
    """Knows one dtype."""

    def forward(self, x: Tensor) -> Tensor:
        if x.dtype != torch.float32:
            raise RuntimeError("float32\nalone")
        return x


class _Casts(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.float()


def test_a_difference_is_compared_with_the_model_s_own() -> None:
    model, x = _Cancels(), torch.rand(3, 5)
    own = float((model(x) - x).abs().max()) / float(x.max())
    assert own > 1e-4
    kind, text = _beside_float64(model, (x,), 0, model(x), own)
    assert kind is InexactError
    assert text.startswith(f"; the model's own float32 differs from float64 by {own:.2g}: so inex")
    kind, text = _beside_float64(model, (x,), 0, model(x), 50 * own)
    assert kind is ExportError
    assert text.endswith(": the graph computes something else")


@pytest.mark.parametrize(
    ("model", "reason"),
    [(_Single(), "RuntimeError: float32 alone"), (_Casts(), "TypeError: its output is torch.flo")],
)
def test_a_model_that_does_not_run_in_float64(model: nn.Module, reason: str) -> None:
    x = torch.rand(2, 2)
    kind, text = _beside_float64(model, (x,), 0, model(x), 1e-3)
    assert kind is ExportError
    assert f"is not known, as the model does not run in float64: {reason}" in text


def test_what_has_no_finer_dtype_is_not_compared() -> None:
    for wanted in (torch.ones(1, dtype=torch.int64), torch.ones(1, dtype=torch.float64)):
        assert _beside_float64(nn.Identity(), (wanted,), 0, wanted, 1.0) == (ExportError, "")


def test_names_of_outputs() -> None:
    x = torch.ones(1)
    assert output_names(x) == ["output"]
    assert output_names((x, [x])) == ["output_0", "output_1"]
    assert output_names({"a": x, "b": x}) == ["a", "b"]


def test_messages_stay_short() -> None:
    text = one_line(ValueError("a\nb " + "x" * 999))
    assert text.startswith("a b x")
    assert len(text) == 303
