"""A row of the bench's result file, as it is written."""

from __future__ import annotations

from typing import Any


def bench_row(**changes: Any) -> dict[str, Any]:
    row = {
        "suite": "paper",
        "workload": "W1",
        "row": "dysample",
        "first": "dysample",
        "shape": [1, 256, 120, 120],
        "dtype": "float32",
        "channels_last": False,
        "passes": "forward",
        "read_bytes": 14_745_600,
        "written_bytes": 58_982_400,
        "milliseconds": 4.2,
        "ratio": 1.0,
        "target": None,
        "to_floor": 1.8,
        "nanoseconds_an_element": 0.285,
        "error": 2e-7,
        "backend": "cpu avx512",
        "resident_bytes": 61_000_000,
        "allocated_bytes": 60_825_600,
        "rounds": 15,
        "threads": 1,
        "malloc": "warm",
        "cpu": "A CPU",
        "isa": "avx512",
        "torch": "2.14.1",
        "dysample": "0.1.0",
    }
    return {**row, **changes}
