"""One table of allowed errors by backend and dtype, for results of order 1 against float64."""

import torch

from dysample.backends.cpu import library

# Coordinates and sums are at least float32 everywhere.
ATOL = {
    "eager": {  # a few roundings of the result
        torch.float64: 1e-12,
        torch.float32: 1e-5,
        torch.float16: 4e-3,  # 2 roundings at |x| < 4
        torch.bfloat16: 3.2e-2,
    },
    "cpu": {  # a few roundings of the arithmetic, then one of the result
        torch.float64: 3e-14,
        torch.float32: 2e-6,
        torch.float16: 2e-3,  # 1 rounding at |x| < 8
        torch.bfloat16: 1.6e-2,
    },
    "triton": {  # as on a CPU; Triton's interpreter truncates to bfloat16
        torch.float64: 3e-14,
        torch.float32: 2e-6,
        torch.float16: 2e-3,
        torch.bfloat16: 3.2e-2,
    },
}
DTYPES = list(ATOL["eager"])
BACKENDS = ["eager"] if library.missing else ["eager", "cpu"]
"""Those that this machine can run."""


def assert_close(
    actual: torch.Tensor, expected: torch.Tensor, dtype: torch.dtype, backend: str = "eager"
) -> None:
    """`actual` has that dtype and equals `expected` (float64) within the backend's tolerance."""
    assert actual.dtype == dtype
    torch.testing.assert_close(
        actual.double(), expected.double(), rtol=0, atol=ATOL[backend][dtype], equal_nan=True
    )
