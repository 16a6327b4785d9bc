"""One table of allowed errors by dtype, for results of order 1 against float64."""

import torch

# A few roundings of the result; coordinates and sums are at least float32 everywhere.
ATOL = {
    torch.float64: 1e-12,
    torch.float32: 1e-5,
    torch.float16: 4e-3,  # 2 roundings at |x| < 4
    torch.bfloat16: 3.2e-2,
}
DTYPES = list(ATOL)


def assert_close(actual: torch.Tensor, expected: torch.Tensor, dtype: torch.dtype) -> None:
    """`actual` has that dtype and equals `expected` (float64) within its tolerance."""
    assert actual.dtype == dtype
    torch.testing.assert_close(
        actual.double(), expected.double(), rtol=0, atol=ATOL[dtype], equal_nan=True
    )
