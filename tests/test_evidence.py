"""The committed evidence says what its runs say."""

import re
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from dysample.registry import list_upsamplers
from dysample.workbench.record import read_records
from dysample.workbench.report.report import write_report

EVIDENCE = Path(__file__).parent.parent / "evidence"


def test_what_the_page_says_in_short_is_in_the_readme() -> None:
    report = (EVIDENCE / "report.md").read_text()
    found = report[report.index("## In short") : report.index("## How to read")].splitlines()
    lines = [line for line in found if line.startswith("- ")]
    assert len(lines) == 9
    readme = (EVIDENCE / "README.md").read_text().splitlines()
    assert all(line in readme for line in lines)


def test_the_pictures_that_the_page_names_lie_beside_it() -> None:
    named = re.findall(r"In (\S+\.png), beside this page", (EVIDENCE / "report.md").read_text())
    assert sorted(named) == sorted(path.name for path in EVIDENCE.glob("*.png"))
    assert len(named) == 4


MAIN = {
    *("nearest", "bilinear", "carafe", "fade", "sapa_b"),
    *("dysample", "dysample_plus", "dysample_s", "dysample_s_plus"),
}


def test_every_part_is_whole() -> None:
    """The seeds of each upsampler by task, data and head, as the README says they were run."""
    seeds: dict[str, dict[str, set[int]]] = {}
    for record in read_records(EVIDENCE / "results.jsonl"):
        part = f"{record.task} {record.data['name']} {record.settings.get('head')}"
        name = record.upsampler + str(dict(record.upsampler_options) or "")
        seeds.setdefault(part, {}).setdefault(name, set()).add(record.seed)
        assert record.data["name"] == "scenes" or not record.samples  # no photographs in here
    upsamplers = {name for name in list_upsamplers() if not name.startswith("dysample_step")}
    photographs = [seeds.pop("semantic camvid plain"), seeds.pop("instance pennfudan None")]
    assert all(found == {name: {0, 1, 2} for name in MAIN} for found in photographs)
    assert set(seeds) == {
        *("semantic scenes plain", "semantic scenes skip", "depth scenes plain"),
        *("depth scenes skip", "detection scenes None", "instance scenes None"),
        "panoptic scenes None",
    }
    design = set(seeds["semantic scenes plain"]) - upsamplers
    assert len(design) == 12  # steps, scope factors and groups that are not the usual ones
    for part, found in seeds.items():
        assert set(found) - design == upsamplers, part
        assert all(runs == set(range(5 if name in MAIN else 3)) for name, runs in found.items())


@pytest.mark.slow
def test_the_page_is_made_of_the_runs(tmp_path: Path) -> None:
    write_report(EVIDENCE / "results.jsonl", tmp_path, Console(file=StringIO()))
    for name in ("report.md", "report.csv"):
        assert (tmp_path / name).read_text() == (EVIDENCE / name).read_text()
