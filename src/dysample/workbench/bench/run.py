"""Run the benchmark, a process for each malloc regime, and keep its rows: JSON, a row a line."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from dysample.lines import append_lines, read_lines
from dysample.workbench.bench.workloads import select

Row = dict[str, Any]

REGIMES = {
    "default": "",
    "warm": "glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=100000000000",
}
"""GLIBC_TUNABLES of each: by default a large result lies in fresh pages, which the system clears
while they are written for the first time; warm, freed memory is used again."""


def regimes() -> tuple[str, ...]:
    """Return the malloc regimes of this system."""
    return tuple(REGIMES) if platform.libc_ver()[0] == "glibc" else ("default",)


def run(
    suite: str, only: str, rounds: int, malloc: Sequence[str], file: Path | None = None
) -> Iterator[list[Row]]:
    """The rows of each workload, see `measure`, one regime after the other.

    Args:
        suite: see `select`.
        only: see there.
        rounds: counted rounds.
        malloc: names of regimes.
        file: rows are appended to it as they come.

    Raises:
        ValueError: if there is nothing to run.
        ChildProcessError: if a process ends before its work is done; it has said why.
    """
    # Errors that this process can report before anything runs.
    select(suite, only)
    if file is not None:
        append(file, ())
    for regime in malloc:
        command = [sys.executable, "-m", "dysample.workbench.bench", suite, only, str(rounds)]
        environment = {**os.environ, "GLIBC_TUNABLES": REGIMES[regime]}
        # The memory profiler would write its log to stderr.
        environment.setdefault("KINETO_LOG_LEVEL", "99")
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as work:
            try:
                assert work.stdout is not None
                for line in work.stdout:
                    rows = json.loads(line)
                    if file is not None:
                        append(file, rows)
                    yield rows
            except BaseException:
                work.terminate()
                raise
        if work.returncode != 0:
            raise ChildProcessError(f"the bench's process ended with exit code {work.returncode}")


def append(path: Path, rows: Iterable[Row]) -> None:
    """Add rows at the end of a file, which need not exist; see `append_lines`."""
    append_lines(path, [json.dumps(row, allow_nan=False) for row in rows])


def read(path: Path, suite: str = "all", only: str = "*", warm: bool = False) -> list[Row]:
    """The rows of a file; of rows that were measured again the last.

    Args:
        path: the file.
        suite: see `dysample.workbench.bench.workloads.select`.
        only: see there.
        warm: those of the warm regime alone.

    Raises:
        ValueError: if a line is not a row, naming it, or if no row is left.
    """
    rows: dict[tuple[str, ...], Row] = {}
    for number, row in read_lines(path).values:
        try:
            key = tuple(row[part] for part in ("cpu", "isa", "malloc", "workload", "row"))
            rows[key] = row
        except (KeyError, TypeError) as error:
            raise ValueError(f"{path} line {number} must be a row of the bench") from error
    wanted = [
        row
        for row in rows.values()
        if suite in ("all", row["suite"])
        and (
            fnmatchcase(row["workload"], only)
            or fnmatchcase(f"{row['workload']}/{row['row']}", only)
        )
        and (row["malloc"] == "warm" or not warm)
    ]
    if not wanted:
        raise ValueError(f"{path} must hold rows of suite {suite!r} that match {only!r}")
    return wanted
