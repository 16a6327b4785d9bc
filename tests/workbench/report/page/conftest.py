"""Made-up results as families of the page."""

from collections.abc import Callable
from pathlib import Path

import pytest

from dysample.workbench.record import read_records
from dysample.workbench.report.page.compared import Family, compare
from dysample.workbench.report.summary import summarise
from support.made_results import write_runs


@pytest.fixture
def families(tmp_path: Path) -> Callable[..., list[Family]]:
    """Families of a result file with these lines."""

    def build(runs: list[dict]) -> list[Family]:
        groups = summarise(read_records(write_runs(tmp_path / "results.jsonl", runs)))
        return compare(groups, [[] for _ in groups])

    return build
