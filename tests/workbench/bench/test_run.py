"""Through the real command line."""

import os
import time

import pytest

from dysample.cli import main
from dysample.workbench.bench.results import append, read
from dysample.workbench.bench.run import regimes, run
from support.bench_rows import bench_row


def call(monkeypatch, *arguments: object) -> int:
    monkeypatch.setattr("sys.argv", ["dysample", "bench", *map(str, arguments)])
    with pytest.raises(SystemExit) as stopped:
        main()
    return stopped.value.code or 0


def test_a_row_in_both_regimes(monkeypatch, capsys, tmp_path) -> None:
    path = tmp_path / "rows.jsonl"
    options = ("--suite", "small", "--only", "small-16/nearest", "--rounds", 1)
    assert call(monkeypatch, *options, "--json", path) == 0
    out = capsys.readouterr().out
    rows = read(path)
    assert [row["malloc"] for row in rows[::3]] == list(regimes())
    assert [row["row"] for row in rows[:3]] == ["dysample", "nearest", "memory floor"]
    assert all(row["allocated_bytes"] >= 4 * 64 * 32 * 32 for row in rows if "error" in row)
    for regime in regimes():
        assert f"results 0.25 MiB, {regime} malloc" in out
    # Read again, the file shows the same tables.
    assert call(monkeypatch, "--read", path) == 0
    assert capsys.readouterr().out == out


def test_markdown_and_a_figure_of_a_file(monkeypatch, capsys, tmp_path) -> None:
    path, figure = tmp_path / "rows.jsonl", tmp_path / "speed.png"
    append(path, [bench_row(), bench_row(row="published", ratio=5.0, target=4.5)])
    assert call(monkeypatch, "--read", path, "--markdown", "--figure", figure) == 0
    assert capsys.readouterr().out.startswith("| warm malloc | row | ms |")
    assert figure.read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--suite", "papers"], "`suite` (='papers') must be one of all, paper,"),
        (["--only", "W9"], "`only` (='W9') must match a workload"),
        (["--read", "nothing.jsonl"], "`--read` must be a file of --json's that exists: nothing"),
        (["--read", __file__, "--rounds", "3"], "leave --rounds and --json out"),
        (["--json", "no/such/rows.jsonl"], "`--json` must lie in a folder that exists: no/such"),
        (["--figure", "no/such/figure.png"], "`--figure` must lie in a folder"),
    ],
)
def test_mistakes_are_told_in_a_line_before_anything_runs(
    arguments, message, monkeypatch, capsys
) -> None:
    monkeypatch.setattr("subprocess.Popen", None)
    assert call(monkeypatch, *arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("dysample: error: ")
    assert message in error
    assert error.count("\n") == 1


def test_a_process_that_fails_is_told(monkeypatch) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    with pytest.raises(ChildProcessError, match="ended with exit code 1"):
        list(run("small", "*", 1, ("default",)))


def test_the_worker_is_ended_with_its_reader(monkeypatch, tmp_path) -> None:
    # A stand-in that tells its process id and then waits.
    script = tmp_path / "worker"
    script.write_text('#!/bin/sh\necho "[$$]"\nexec sleep 60\n')
    script.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(script))
    rows = run("small", "*", 1, ("default",))
    (process,) = next(rows)
    start = time.monotonic()
    rows.close()
    assert time.monotonic() - start < 30  # it was not waited for
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
