"""The result file: one record a line, one line a finished run, never half a line."""

import json
from pathlib import Path
from typing import Any

from dysample.lines import append_lines
from dysample.workbench.folders import locked
from dysample.workbench.record import Record, read_records

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

    def records(self) -> list[Record]:
        """Return the runs in the file.

        Raises:
            ValueError, OSError: as `read_records`.
        """
        if not self.path.exists():
            return []
        if not self.path.is_file():
            raise ValueError(f"{self.path} must be a file of results")
        return read_records(self.path)

    def finished(self) -> set[str]:
        """Return the ids of the runs in the file.

        Raises:
            ValueError, OSError: as `read_records`.
        """
        return {record.run for record in self.records()}

    def append(self, line: dict[str, Any]) -> None:
        """Add a record, from `Record.to_line`, as the last line.

        Raises:
            ValueError: a number that JSON does not have, or a file that holds something else.
            OSError: it cannot be written, naming it; the file is as it was.
        """
        text = json.dumps(line, allow_nan=False)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with locked(self._lock):
            append_lines(self.path, [text])
