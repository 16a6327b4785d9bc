"""The committed evidence says what its runs say."""

import re
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from dysample.registry import list_upsamplers
from dysample.workbench.record import read_records
from dysample.workbench.report.intervals import estimate
from dysample.workbench.report.report import write_report
from dysample.workbench.report.summary import summarise
from dysample.workbench.report.verdict import Verdict, verdict

EVIDENCE = Path(__file__).parent.parent / "evidence"


def in_short(page: Path) -> list[str]:
    """What a page says first of each task and data set, a line for each head."""
    title, lines = "", []
    for line in page.read_text().splitlines():
        if line.startswith("#"):
            title = line
        elif title.startswith("## ") and " of bilinear is " in line:
            lines.append(f"- {title.removeprefix('## ')}, {line[2].lower()}{line[3:]}")
    return lines


def test_what_the_pages_say_in_short_is_in_the_readme() -> None:
    lines, tuned = in_short(EVIDENCE / "report.md"), in_short(EVIDENCE / "tuned" / "report.md")
    assert (len(lines), len(tuned)) == (9, 2)
    readme = (EVIDENCE / "README.md").read_text().splitlines()
    assert [line for line in readme if " of bilinear is " in line] == lines + tuned


PAIRS = {
    ("plain", "dysample", "carafe"): Verdict.OPEN,
    ("plain", "dysample", "dysample_plus"): Verdict.OPEN,
    ("plain", "dysample", "pixel_shuffle"): Verdict.OPEN,
    ("plain", "dysample_plus", "carafe"): Verdict.OPEN,
    ("plain", "dysample_plus", "pixel_shuffle"): Verdict.OPEN,
    ("plain", "carafe", "pixel_shuffle"): Verdict.OPEN,
    ("plain", "dysample_s", "dysample"): Verdict.WORSE,
    ("plain", "dysample_s_plus", "dysample"): Verdict.WORSE,
    ("plain", "dysample(groups=8)", "dysample"): Verdict.BETTER,
    ("plain", "dysample(groups=16)", "dysample"): Verdict.BETTER,
    ("skip", "dysample", "fade"): Verdict.BETTER,
    ("skip", "dysample_plus", "fade"): Verdict.BETTER,
}
"""Upsamplers that the README compares with each other, in mIoU on the scenes, by head."""


def test_what_the_readme_says_of_pairs_holds() -> None:
    runs = [one for one in read_records(EVIDENCE / "results.jsonl") if one.task == "semantic"]
    groups = {one.head: one for one in summarise(runs) if one.data["name"] == "scenes"}
    for (head, first, second), expected in PAIRS.items():
        rows = {row.name: row for row in groups[head].rows}
        one = estimate(rows[first], rows[second], "miou")
        assert one is not None
        assert verdict(one) is expected, (head, first, second)


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


TUNED = {
    "scenes": MAIN,
    "camvid": {"nearest", "bilinear", "carafe", "dysample", "dysample_s_plus"},
}
"""The upsamplers of the tuned runs by data set."""


def test_every_tuned_run_is_at_the_best_scale_of_its_trials() -> None:
    found: dict[tuple[str, str], dict[str, dict]] = {}
    for record in read_records(EVIDENCE / "tuned" / "results.jsonl"):
        part = found.setdefault((record.data["name"], record.upsampler), {"tried": {}, "runs": {}})
        scale, score = record.settings["rate_scale"], record.value("miou")
        if record.settings.get("held_out"):
            assert record.seed == 0
            part["tried"][scale] = score
        else:
            part["runs"][record.seed] = scale
        assert record.data["name"] == "scenes" or not record.samples
    assert set(found) == {(data, name) for data, names in TUNED.items() for name in names}
    for part in found.values():
        assert sorted(part["tried"]) == [0.03, 0.1, 0.3, 1]
        best = max(part["tried"], key=lambda scale: part["tried"][scale])
        assert part["runs"] == dict.fromkeys(range(5), best)


@pytest.mark.slow
@pytest.mark.parametrize("folder", [EVIDENCE, EVIDENCE / "tuned"])
def test_the_page_is_made_of_the_runs(folder: Path, tmp_path: Path) -> None:
    write_report(folder / "results.jsonl", tmp_path, Console(file=StringIO()))
    for name in ("report.md", "report.csv"):
        assert (tmp_path / name).read_text() == (folder / name).read_text()
