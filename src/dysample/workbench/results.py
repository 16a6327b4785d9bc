"""The result file: one JSON object a line, one line a finished run, never half a line."""

import json
from pathlib import Path
from typing import Any

from dysample.lines import append_lines, read_lines
from dysample.workbench.folders import locked

RESULTS = "results.jsonl"


class ResultFile:
    """Appends records and knows which runs are already there.

    A line is on the disk before `append` returns. Whatever can be read stays in the file; a torn
    last line, which a killed writer can leave, is put aside: see `append_lines`.

    Args:
        path: the file; it and its folder need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = Path(f"{path}.lock")

    def finished(self) -> set[str]:
        """Ids of the runs in the file.

        Raises:
            ValueError: if something in it is not a record, naming the line.
            OSError: if it cannot be read.
        """
        if not self.path.exists():
            return set()
        if not self.path.is_file():
            raise ValueError(f"{self.path} must be a file of results")
        runs = set()
        for number, entry in read_lines(self.path).values:
            run = entry.get("run") if isinstance(entry, dict) else None
            if not isinstance(run, str):
                raise ValueError(f"{self.path} line {number} must be a run's record")
            runs.add(run)
        return runs

    def append(self, record: dict[str, Any]) -> None:
        """Add a record as the last line.

        Raises:
            ValueError: a number that JSON does not have, or a file that holds something else.
            OSError: it cannot be written, naming it; the file is as it was.
        """
        line = json.dumps(record, allow_nan=False)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with locked(self._lock):
            append_lines(self.path, [line])
