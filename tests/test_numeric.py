"""Numbers are refused by name, rule and value; numpy's become Python's."""

import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest

from dysample.numeric import check_int, check_number
from support.refusals import refused


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3)])
def test_integers(value: object) -> None:
    assert check_int("n", value, 3, 3) == 3
    assert type(check_int("n", value)) is int


@pytest.mark.parametrize(
    ("value", "expected"), [(2, 2), (np.int32(2), 2), (0.5, 0.5), (np.float32(0.5), 0.5)]
)
def test_numbers(value: object, expected: float) -> None:
    found = check_number("x", value)
    assert (type(found), found) == (type(expected), expected)
    assert check_number("x", Fraction(1, 4)) == 0.25
    assert check_number("x", 0, zero=True) == 0


@pytest.mark.parametrize("value", [True, np.True_, 2.0, np.float64(2), "3", None, [3]])
def test_what_is_no_integer(value: object) -> None:
    with pytest.raises(TypeError) as caught:
        check_int("n", value)
    assert str(caught.value) == f"`n` (={value!r}) must be an integer"


@pytest.mark.parametrize("value", [True, np.True_, 1j, "3", None, [3.0]])
def test_what_is_no_number(value: object) -> None:
    with pytest.raises(TypeError) as caught:
        check_number("x", value)
    assert str(caught.value) == f"`x` (={value!r}) must be a number"


def test_what_is_out_of_range() -> None:
    for value, rule in ((0, "at least 1"), (np.int64(-7), "at least 1"), (10, "at most 9")):
        with refused(rf"^`n` \(={value}\) must be {rule}$"):
            check_int("n", value, 1, 9)
    for value in (0, -1, float("nan"), float("inf"), 10**400, np.float32("inf")):
        with refused(rf"^`x` \(={value}\) must be finite and above 0$"):
            check_number("x", value)
    for value in (-1, float("nan"), float("inf"), 10**400):
        with refused(rf"^`x` \(={value}\) must be finite and not nega"):
            check_number("x", value, zero=True)


def test_needs_no_torch() -> None:
    code = "import sys, dysample.workbench.settings; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
