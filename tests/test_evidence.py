"""The committed evidence says what its runs say."""

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from dysample.report.records import read_records
from dysample.report.report import write_report

EVIDENCE = Path(__file__).parent.parent / "evidence"


def test_what_the_page_says_in_short_is_in_the_readme() -> None:
    report = (EVIDENCE / "report.md").read_text()
    found = report[report.index("## In short") : report.index("## How to read")].splitlines()
    lines = [line for line in found if line.startswith("- ")]
    assert len(lines) == 7
    readme = (EVIDENCE / "README.md").read_text().splitlines()
    assert all(line in readme for line in lines)


def test_every_part_is_whole() -> None:
    runs: dict[str, set[tuple[str, int]]] = {}
    for record in read_records(EVIDENCE / "results.jsonl"):
        part = f"{record.task} {record.data['name']} {record.settings.get('head')}"
        name = record.upsampler + str(dict(record.options) or "")
        runs.setdefault(part, set()).add((name, record.seed))
        assert record.data["name"] == "scenes" or not record.samples  # no photographs in here
    sizes = {part: len(found) for part, found in runs.items()}
    assert sizes == {
        "semantic scenes plain": 63,
        "semantic scenes skip": 27,
        "semantic camvid plain": 27,
        "depth scenes plain": 27,
        "detection scenes None": 27,
        "instance scenes None": 27,
        "panoptic scenes None": 27,
    }
    assert all({seed for _, seed in found} == {0, 1, 2} for found in runs.values())


@pytest.mark.slow
def test_the_page_is_made_of_the_runs(tmp_path: Path) -> None:
    write_report(EVIDENCE / "results.jsonl", tmp_path, Console(file=StringIO()))
    for name in ("report.md", "report.csv"):
        assert (tmp_path / name).read_text() == (EVIDENCE / name).read_text()
