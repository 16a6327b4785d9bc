"""Triton's kernels, interpreted, on random sizes, strides, dtypes and values.

The few examples of every run are always the same; the slow tests draw others each time. None is
made smaller where it fails: each takes a second.
"""

from __future__ import annotations

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from support.random_calls import Draw, check_affinity, check_point_sample, check_reassemble
from support.triton_kernels import in_order, needs_triton, small_tiles

pytestmark = needs_triton
__all__ = ["small_tiles"]
CHECKS = {f.__name__: f for f in (check_point_sample, check_reassemble, check_affinity)}
each_check = pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
data_of_call = given(data=st.data())


@each_check
@settings(max_examples=2, derandomize=True, database=None, phases=[Phase.generate])
@data_of_call
def test_random_calls(check, data: st.DataObject) -> None:
    check(Draw(data, longest=6, channels=5), "triton")


@pytest.mark.slow
@each_check
@settings(max_examples=150, derandomize=False, phases=[Phase.generate])
@data_of_call
def test_many_random_calls(check, data: st.DataObject) -> None:
    check(Draw(data, longest=8, channels=12), "triton")


@pytest.mark.slow
@settings(max_examples=60, derandomize=False, phases=[Phase.generate])
@data_of_call
def test_many_random_calls_in_one_order(data: st.DataObject) -> None:
    with in_order():
        check_point_sample(Draw(data, longest=6, channels=6), "triton")


@pytest.mark.slow
@each_check
@settings(max_examples=60, derandomize=False, phases=[Phase.generate])
@data_of_call
def test_many_random_calls_of_several_tiles(check, data, small_tiles: None) -> None:
    check(Draw(data, longest=7, channels=12), "triton")
