"""The array types of this folder, and the scalar product of vectors."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
"""Always float32; the stubs of numpy would take arithmetic with Python floats for float64."""

Ints = NDArray[np.intp]
Bools = NDArray[np.bool_]
Bytes = NDArray[np.uint8]
"""Image levels, class and instance ids."""


def dot(left: Floats, right: Floats) -> Floats:
    """Return the scalar products of vectors along the first axis, which has 3 entries."""
    product: Floats = left[0] * right[0] + left[1] * right[1] + left[2] * right[2]
    return product
