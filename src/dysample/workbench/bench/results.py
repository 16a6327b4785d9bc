"""The bench's result file: a row a line, appended whole."""

from __future__ import annotations

import json
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from dysample.lines import append_lines, read_lines

Row = dict[str, Any]


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
