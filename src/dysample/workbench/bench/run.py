"""Run the benchmark: one process for each malloc regime, rows as they come."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from dysample.workbench.bench.results import Row, append
from dysample.workbench.bench.workloads import select

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
