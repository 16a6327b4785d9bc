"""Check every row against plain torch in float64 before it is timed."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from dysample.ops import Choice, backend, recorded
from dysample.workbench.bench.cases import Entry, Workload, prepare

LIMIT = 1e-9
"""Error in float64, of which a few roundings of numbers near 1000 remain."""

PART = 2**24
"""Elements that are compared at a time."""


def reference_of(workload: Workload, entry: Entry) -> tuple[Tensor, ...]:
    """Return the expected result of an entry: plain torch on its numbers in float64."""
    with backend("eager"):
        return prepare(workload, entry).double().call(workload.passes)()


def check(
    workload: Workload, entry: Entry, reference: Sequence[Tensor]
) -> tuple[float, list[Choice]]:
    """Return the error of an entry in its own dtype, and the backend of its primitives.

    In float64, where no rounding hides a difference, the entry must equal the reference: also one
    whose own dtype is too coarse for what it computes, as bfloat16 is for positions.

    Raises:
        RuntimeError: if it does not.
    """
    case = prepare(workload, entry)
    with entry.running():
        in_double = error(case.double().call(workload.passes)(), reference)
        if not in_double <= LIMIT:
            raise RuntimeError(
                f"{workload.name}/{entry.name} is wrong and was not timed: its error in float64"
                f" (={in_double:.2g}) must be at most {LIMIT:g}"
            )
        with recorded() as choices:
            results = case.call(workload.passes)()
    return error(results, reference), choices


def error(results: Sequence[Tensor], reference: Sequence[Tensor]) -> float:
    """Return the largest difference, relative to the largest value if that exceeds 1."""
    if [r.shape for r in results] != [r.shape for r in reference]:
        return float("inf")
    errors = [0.0]
    for result, expected in zip(results, reference):
        size = max(1.0, float(expected.abs().max()))
        result, expected = result.reshape(-1), expected.reshape(-1)
        for start in range(0, len(expected), PART):  # the largest have gigabytes in float64
            part = slice(start, start + PART)
            errors.append(float((result[part].double() - expected[part]).abs().max()) / size)
    # Python's max would lose a NaN.
    return float(torch.tensor(errors, dtype=torch.float64).max())
