"""The result file: one JSON object a line, one line a finished run, never half a line."""

import json
import os
from pathlib import Path
from typing import Any

from filelock import FileLock


class ResultFile:
    """Appends records and knows which runs are already there.

    A line is written in one piece and synchronised to disk before `append` returns. A writer
    that was killed can leave a torn last line; it is cut off before the next line is added.

    Args:
        path: the file; it and its folder need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = FileLock(f"{path}.lock")

    def finished(self) -> set[str]:
        """Ids of the runs in the file.

        Raises:
            ValueError: if a whole line is not a record, naming the line.
        """
        if not self.path.exists():
            return set()
        lines = self.path.read_bytes().split(b"\n")
        runs = set()
        for number, line in enumerate(lines[:-1], start=1):  # behind the last newline: torn
            try:
                runs.add(json.loads(line)["run"])
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(f"{self.path} line {number} must be a run's record") from error
        return runs

    def append(self, record: dict[str, Any]) -> None:
        """Add a record as the last line."""
        line = json.dumps(record, allow_nan=False).encode() + b"\n"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._lock, self.path.open("a+b") as file:
            file.seek(0)
            content = file.read()
            file.truncate(content.rfind(b"\n") + 1)
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
