"""Triton's kernels, compiled for GPUs that are not here, held to a committed table.

`python docs/tables.py budget`, with `tests` in the path, writes the table.
"""

from __future__ import annotations

from typing import Any

import pytest

from support import ahead, budget
from support.triton_kernels import interpreter

pytestmark = pytest.mark.skipif(
    (interpreter.missing or ahead.missing()) is not None,
    reason=f"nothing to compile with: {interpreter.missing or ahead.missing()}",
)


@pytest.fixture(scope="module", params=["sm_90", pytest.param("sm_80", marks=pytest.mark.slow)])
def compiled(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    """Rows of the kernels that the calls launch, for one architecture."""
    return [row for row in ahead.rows(request.param) if "kernel" in row]


def test_code_is_as_the_table_says(compiled) -> None:
    made = budget.read_table()
    if made["triton"] != budget.version():
        pytest.skip(f"the table is of Triton {made['triton']}, not {budget.version()}")
    of_target = [row for row in made["kernels"] if row["target"] == compiled[0]["target"]]
    assert compiled == of_target


def test_nothing_is_spilled(compiled) -> None:
    assert {row["kernel"]: row["spilled"] for row in compiled if row["spilled"]} == {}


@pytest.mark.slow
@pytest.mark.parametrize("target", ahead.TARGETS)
def test_other_variants_compile_and_spill_next_to_nothing(target: str) -> None:
    rows = ahead.rows(target, "variants")
    assert {row["kernel"] for row in rows} == {
        *("sample", "slopes", "gather", "scatter", "reach", "collect", "fold"),
        *("by_high", "by_tap", "by_low"),
    }
    assert [row for row in rows if row["spilled"]] == []


def test_registers_of_the_sampler(compiled) -> None:
    """Half of a multiprocessor's threads, at the least, sample at a time."""
    registers = [row["registers"] for row in compiled if row["kernel"] == "sample"]
    assert registers
    assert max(registers) <= 64


def test_loads_and_stores_are_wide_where_channels_are_innermost(compiled) -> None:
    rows = [row for row in compiled if row["kernel"] == "sample"]
    for row in rows:
        memory = row["memory"]
        if row["last"]:
            assert memory["LDG.128"] >= 4
            assert memory["STG.128"] >= 1
            assert "LDG.16" not in memory
        else:  # two pixels side by side
            assert "STG.64" in memory if row["dtype"] == "float32" else "STG.32" in memory


def test_bytes_of_the_forward_pass_are_those_of_the_floor() -> None:
    for row in budget.read_table()["calls"]:
        if "gradients" not in row["call"]:  # weights are written and read once more
            most = 1.3 if row["call"].startswith("reassemble") else 1.15
            assert row["floor"] <= row["bytes"] <= most * row["floor"]


def test_the_page_shows_the_table() -> None:
    page = (ahead.FOLDER.parent / "docs" / "kernels.md").read_text()
    assert budget.markdown(budget.read_table()) in page
