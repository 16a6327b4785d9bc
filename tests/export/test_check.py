"""When outputs count as equal."""

from __future__ import annotations

import pytest
import torch

from dysample.export import ExportError
from dysample.export.check import _error, one_line, output_names


def test_errors_are_relative_to_the_largest_value() -> None:
    wanted = torch.tensor([1000.0, 1.0])
    assert _error("here", "out", wanted + 0.05, wanted) == pytest.approx(5e-5, rel=1e-2)
    with pytest.raises(
        ExportError, match=r"^here: `out` differs .* by 0\.0002 of .* than 0\.0001$"
    ):
        _error("here", "out", wanted + 0.2, wanted)


def test_nan_is_never_equal() -> None:
    with pytest.raises(ExportError, match="differs"):
        _error("here", "out", torch.tensor([float("nan")]), torch.ones(1))


def test_whole_numbers_must_be_equal() -> None:
    wanted = torch.tensor([100000, 2])
    assert _error("here", "out", wanted, wanted) == 0
    with pytest.raises(ExportError, match="differs"):
        _error("here", "out", wanted + 1, wanted)


def test_shapes_must_be_equal() -> None:
    with pytest.raises(ExportError, match=r"has shape \(1, 2\), the model's \(2,\)"):
        _error("here", "out", torch.ones(1, 2), torch.ones(2))


def test_names_of_outputs() -> None:
    x = torch.ones(1)
    assert output_names(x) == ["output"]
    assert output_names((x, [x])) == ["output_0", "output_1"]
    assert output_names({"a": x, "b": x}) == ["a", "b"]


def test_messages_stay_short() -> None:
    text = one_line(ValueError("a\nb " + "x" * 999))
    assert text.startswith("a b x")
    assert len(text) == 303
