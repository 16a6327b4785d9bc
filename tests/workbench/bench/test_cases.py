"""The cases: the same numbers for all rows, the rivals equal to ours, what differs refused."""

from dataclasses import replace

import pytest
import torch

from dysample.workbench.bench.cases import (
    BACKWARD,
    BOTH,
    FORWARD,
    Entry,
    grid_sample,
    interpolation,
    prepare,
    upsampler,
)
from dysample.workbench.bench.check import LIMIT, check, error, reference_of
from dysample.workbench.bench.workloads import WORKLOADS


def tiny(workload, channels=16):
    """A workload on a 6x5 map."""
    return replace(workload, shape=(workload.shape[0], channels, 6, 5))


@pytest.mark.parametrize(
    "workload", [w for w in WORKLOADS if w.suite in ("paper", "kernels")], ids=lambda w: w.name
)
def test_twins_equal_the_first_row(workload) -> None:
    workload = tiny(workload)
    reference = reference_of(workload, workload.entries[0])
    for entry in workload.entries:
        if entry.twin:
            found, _ = check(workload, entry, reference)  # raises in float64
            coarse = workload.dtype == "bfloat16"
            assert found < (0.1 if coarse else 1e-5), entry.name


@pytest.mark.parametrize("passes", [FORWARD, BACKWARD, BOTH])
@pytest.mark.parametrize(
    "options", [{}, {"dyscope": True}, {"style": "pl", "groups": 2, "dyscope": True}]
)
def test_the_published_composition_is_dysample(options, passes) -> None:
    workload = replace(tiny(WORKLOADS[0]), passes=passes)
    options = {"name": "dysample", **options}
    ours = prepare(workload, Entry("ours", upsampler, options)).double().call(passes)()
    theirs = prepare(workload, Entry("theirs", grid_sample, options)).double().call(passes)()
    assert (
        len(ours)
        == len(theirs)
        == {FORWARD: 1, BACKWARD: 3, BOTH: 4}[passes] + (passes != FORWARD and "dyscope" in options)
    )
    assert error(theirs, ours) < LIMIT
    # Points that stay where they are would hide the offsets.
    still = prepare(workload, Entry("still", upsampler, {**options, "scope_factor": 1e-9}))
    assert error(still.double().call(passes)(), ours) > 1e-3


def test_the_passes_are_those_of_autograd() -> None:
    workload = replace(tiny(WORKLOADS[0]), passes=BOTH)
    case = prepare(workload, workload.entries[0]).double()
    (x,) = (value.requires_grad_() for value in case.inputs)
    out = case.function(x)
    out.backward(case.cotangent)
    module = case.function
    expected = (out.detach(), x.grad, module.offset.weight.grad, module.offset.bias.grad)
    assert error(case.call(BOTH)(), expected) == 0
    backward = case.call(BACKWARD)
    assert error(backward(), expected[1:]) == 0
    assert error(backward(), expected[1:]) == 0  # again, on the kept graph
    assert error(case.call(FORWARD)(), expected[:1]) == 0


@pytest.mark.parametrize("channels_last", [False, True])
def test_inputs_have_the_workload_s_dtype_and_format(channels_last) -> None:
    workload = replace(tiny(WORKLOADS[0]), dtype="bfloat16", channels_last=channels_last)
    (x,) = prepare(workload, workload.entries[0]).inputs
    assert x.dtype == torch.bfloat16
    assert x.is_contiguous(memory_format=workload.memory_format)
    assert x.is_contiguous() != channels_last


def test_guides_are_given_to_those_that_read_them() -> None:
    workload = tiny(WORKLOADS[0], channels=32)
    inputs = prepare(workload, Entry("fade", upsampler, {"name": "fade"})).inputs
    assert inputs[1].shape == (1, 32, 12, 10)


TINY = tiny(WORKLOADS[0], channels=8)
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
