"""The report as a whole: all of its files, or none of them."""

import errno
import io
import os
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from dysample.workbench.report.report import write_report


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_where_the_disk_fills_the_old_report_stands(
    entry: Callable, write: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output, console = tmp_path / "out", Console(file=io.StringIO())
    one = [entry("bilinear", frames=1), entry("dysample", frames=1)]
    written = write_report(write(one), output, console)
    assert sorted(path.name for path in written) == sorted(files(output))
    before, fsync = files(output), os.fsync
    for last in range(len(written)):  # files that can still be written
        left = last

        def full(number: int) -> None:
            nonlocal left
            if not left:
                raise OSError(errno.ENOSPC, "No space left on device")
            left -= 1
            fsync(number)

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            again = write([*one, entry("carafe", frames=1)])
            for folder in (output, tmp_path / "new" / "one"):
                with pytest.raises(OSError, match="No space left") as caught:
                    write_report(again, folder, console)
                assert Path(caught.value.filename).parent == folder
                left = last
        assert files(output) == before
        assert not (tmp_path / "new").exists()


def test_a_folder_in_the_place_of_a_file(entry: Callable, write: Callable, tmp_path: Path) -> None:
    (tmp_path / "out" / "report.md").mkdir(parents=True)
    with pytest.raises(IsADirectoryError, match=r"report\.md must be a file, not a folder"):
        write_report(write([entry(frames=0)]), tmp_path / "out", Console(file=io.StringIO()))
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["report.md"]


@pytest.mark.parametrize("cost", [1, 0])
def test_without_any_difference_nothing_is_warned_of(
    cost: int, entry: Callable, write: Callable, tmp_path: Path
) -> None:
    names = ("bilinear", "nearest", "dysample")
    lines = [entry(name, seed, frames=0) for name in names for seed in (0, 1)]
    for line in lines:
        line |= {"metrics": lines[0]["metrics"], "seconds": {"train": cost, "evaluate": 1}}
        line["macs"]["upsamplers"] = line["parameters"]["upsamplers"] = cost
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write_report(write(lines), tmp_path, Console(file=io.StringIO()))


def test_brackets_in_names_are_text(entry: Callable, write: Callable, tmp_path: Path) -> None:
    lines = [entry("bilinear", frames=0), entry("[bold]x[/nope]", frames=0, data="[red]d[/x]")]
    lines[0]["data"] = lines[1]["data"]
    text = io.StringIO()
    write_report(write(lines), tmp_path, Console(file=text, width=160))
    assert "[bold]x[/nope]" in text.getvalue()
    assert "[red]d[/x] 64x64" in text.getvalue()


def test_the_results_in_a_folder_are_found(
    entry: Callable, write: Callable, tmp_path: Path, dysample: Callable
) -> None:
    write([entry(frames=0)])
    ended = dysample("report", tmp_path)
    assert ended.code == 0, ended.stderr
    assert (tmp_path / "report.html").exists()
    (tmp_path / "runs").mkdir()
    ended = dysample("report", tmp_path / "runs")
    assert ended.code == 2
    assert ended.stderr.endswith("must hold results.jsonl, but has none\n")
    (tmp_path / "runs" / "demo").mkdir()
    (tmp_path / "results.jsonl").rename(tmp_path / "runs" / "demo" / "results.jsonl")
    ended = dysample("report", tmp_path / "runs")
    assert ended.stderr.endswith(f"but has none; there is one in {tmp_path / 'runs' / 'demo'}\n")
