from dataclasses import replace

import pytest
import torch

from dysample.workbench.bench.cases import Entry, interpolation
from dysample.workbench.bench.check import check, error, reference_of
from dysample.workbench.bench.workloads import WORKLOADS

TINY = replace(WORKLOADS[0], shape=(1, 8, 6, 5))
OURS = TINY.entries[0]


def test_a_row_that_computes_something_else_is_refused() -> None:
    reference = reference_of(TINY, OURS)
    wrong = Entry("wrong", interpolation, {"mode": "bilinear"})
    with pytest.raises(RuntimeError, match=r"W1/wrong is wrong and was not timed: .*at most 1e-09"):
        check(TINY, wrong, reference)


def test_nan_is_an_error() -> None:
    reference = [torch.full_like(r, float("nan")) for r in reference_of(TINY, OURS)]
    with pytest.raises(RuntimeError, match="W1/dysample is wrong"):
        check(TINY, OURS, reference)


def test_the_backend_that_ran_is_told() -> None:
    reference = reference_of(TINY, OURS)
    eager = next(entry for entry in TINY.entries if entry.name == "eager")
    published = next(entry for entry in TINY.entries if entry.name == "published")
    assert {choice.backend for choice in check(TINY, eager, reference)[1]} == {"eager"}
    assert check(TINY, published, reference)[1] == []


def test_error_is_absolute_below_1_and_relative_above() -> None:
    expected = [torch.tensor([0.5, -0.25]).double(), torch.tensor([8.0, -100.0]).double()]
    assert error([torch.tensor([0.5, -0.125]), torch.tensor([8.0, -100.0])], expected) == 0.125
    assert error([torch.tensor([0.5, -0.25]), torch.tensor([33.0, -100.0])], expected) == 0.25
    assert error([torch.tensor([0.5])], expected) == float("inf")


def test_error_looks_at_every_part(monkeypatch) -> None:
    monkeypatch.setattr("dysample.workbench.bench.check.PART", 3)
    expected = torch.zeros(2, 4).double()
    for place in range(8):
        result = torch.zeros(8)
        result[place] = 0.5
        assert error([result.view(2, 4)], [expected]) == 0.5
