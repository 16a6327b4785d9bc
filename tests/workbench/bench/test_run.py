"""Through the real command line."""

import os
import time
from pathlib import Path

import pytest

from dysample.workbench.bench.run import append, read, regimes, run
from support.bench_rows import bench_row
from support.refusals import refused


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "rows.jsonl"


def test_a_row_in_both_regimes(dysample, path) -> None:
    options = ("--suite", "small", "--only", "small-16/nearest", "--rounds", 1)
    code, out, _ = dysample("bench", *options, "--json", path)
    assert code == 0
    rows = read(path)
    assert [row["malloc"] for row in rows[::3]] == list(regimes())
    assert [row["row"] for row in rows[:3]] == ["dysample", "nearest", "memory floor"]
    assert all(row["allocated_bytes"] >= 4 * 64 * 32 * 32 for row in rows if "error" in row)
    for regime in regimes():
        assert f"results 0.25 MiB, {regime} malloc" in out
    # Read again, the file shows the same tables.
    assert dysample("bench", "--read", path)[:2] == (0, out)


def test_markdown_of_a_file(dysample, path) -> None:
    append(path, [bench_row(), bench_row(row="published", ratio=5.0, target=4.5)])
    code, out, _ = dysample("bench", "--read", path, "--markdown")
    assert code == 0
    assert out.startswith("| warm malloc | row | ms |")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--suite", "papers"], "`suite` (='papers') must be one of all, paper,"),
        (["--only", "W9"], "`only` (='W9') must match a workload"),
        (["--read", "nothing.jsonl"], "`--read` must be a file of --json's that exists: nothing"),
        (["--read", __file__, "--rounds", "3"], "leave --rounds and --json out"),
        (["--json", "no/such/rows.jsonl"], "`--json` must lie in a folder that exists: no/such"),
    ],
)
def test_mistakes_are_told_in_a_line_before_anything_runs(
    arguments, message, monkeypatch, dysample
) -> None:
    monkeypatch.setattr("subprocess.Popen", None)
    dysample("bench", *arguments).check_mistake(message)


def test_a_process_that_fails_is_told(monkeypatch) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    with refused("ended with exit code 1", ChildProcessError):
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


def test_the_last_of_equal_rows_counts_and_the_rest_keep_their_order(path) -> None:
    append(path, [bench_row(), bench_row(row="published", ratio=5.0)])
    append(path, [bench_row(malloc="default")])
    append(path, [bench_row(row="published", ratio=4.0)])
    rows = read(path)
    assert [(row["row"], row["malloc"], row["ratio"]) for row in rows] == [
        ("dysample", "warm", 1.0),
        ("published", "warm", 4.0),
        ("dysample", "default", 1.0),
    ]


def test_rows_are_chosen_as_they_are_for_measuring(path) -> None:
    rows = [
        bench_row(),
        bench_row(row="published", malloc="default"),
        bench_row(suite="sweep", workload="sweep-32"),
    ]
    append(path, rows)
    assert read(path, suite="sweep") == rows[2:]
    assert read(path, only="W?") == rows[:2]
    assert read(path, only="W1/pub*") == rows[1:2]
    assert read(path, only="W1", warm=True) == rows[:1]
    with refused(r"must hold rows of suite 'small' that match '\*'"):
        read(path, suite="small")


@pytest.mark.parametrize("line", ["{", "[1]", "{}", '"text"'])
def test_a_line_that_is_no_row_is_named(line, path) -> None:
    append(path, [bench_row()])
    with path.open("a") as file:
        file.write(line + "\n")
    with refused(r"rows\.jsonl`? line 2(:| must be a row of the bench)"):
        read(path)
