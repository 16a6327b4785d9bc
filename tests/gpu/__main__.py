"""Whether Triton's kernels are right on this GPU, and how fast: `make gpu`.

    PYTHONPATH=tests python -m gpu [FILE]

Checks come first, then times, from the most to the least important, within eight minutes. FILE,
runs/gpu.jsonl if none is given, gets a line of JSON after every row. Rows of the same machine that
it already holds are not run again, so a run that was stopped goes on; the table of all of them is
printed at the end, and the exit code is 1 if a check failed. Without a GPU it says so, and measures
nothing.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from dysample.backends.gpu import support

BUDGET = 480
"""Seconds after which no other row begins."""

Row = dict[str, Any]


def main() -> int:
    """Run what is left to run; the exit code."""
    reason = why_nothing()
    if reason is not None:
        sys.stdout.write(f"nothing is measured: {reason}\n")
        return 0
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/gpu.jsonl")
    torch.set_default_device("cuda")
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    rows = run(path, machine(), all_rows(tiny=False), BUDGET)
    sys.stdout.write(table(rows))
    return int(any(row.get("failed") for row in rows))


def why_nothing() -> str | None:
    """Why there is nothing to measure; None if there is."""
    if not torch.cuda.is_available():
        return "torch sees no GPU"
    if support.interpreted():
        return f"{support.VARIABLE} is set: kernels would be interpreted"
    return support.why_not(torch.device("cuda", 0))


def machine() -> Row:
    """What the numbers are of."""
    import triton

    found: Row = {"torch": torch.__version__, "triton": triton.__version__}
    if torch.cuda.is_available():
        found["gpu"] = torch.cuda.get_device_name()
        found["capability"] = list(torch.cuda.get_device_capability())
    return found


def all_rows(tiny: bool) -> Iterator[tuple[str, Callable[[], Row]]]:
    """Every row by name; tiny ones are for a dry run, and measure no times."""
    from gpu import checks, times

    yield from checks.rows()
    yield from times.rows(tiny)


def run(
    path: Path, on: Row, rows: Iterator[tuple[str, Callable[[], Row]]], budget: float
) -> list[Row]:
    """Run the rows that the file does not hold yet, and return all of this machine.

    A row that raises is kept as failed, and run again the next time.
    """
    start = time.monotonic()
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = [row for row in read(path) if row["machine"] == on and not row.get("failed")]
    done = {row["row"] for row in kept}
    for name, measure in rows:
        if name in done:
            continue
        if time.monotonic() - start > budget:
            sys.stdout.write(f"out of time before {name}: start again to go on\n")
            break
        try:
            row = measure()
        except Exception as error:  # the next rows may work
            row = {"failed": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"}
        kept.append({"row": name, **row, "machine": on})
        with path.open("a") as file:
            file.write(json.dumps(kept[-1]) + "\n")
    return kept


def read(path: Path) -> Iterator[Row]:
    """Rows of a file; a line that was cut off is none."""
    lines = path.read_text().splitlines() if path.exists() else []
    for line in lines:
        try:
            yield json.loads(line)
        except json.JSONDecodeError:
            continue


def table(rows: list[Row]) -> str:
    """Checks, then times, as Markdown."""
    lines = ["| check | error | allowed | |", "|---|---:|---:|---|"]
    for row in rows:
        if "ms" not in row:
            numbers = [f"{row[key]:.1e}" if key in row else "" for key in ("error", "allowed")]
            lines.append(f"| {row['row']} | {' | '.join(numbers)} | {row.get('failed', 'right')} |")
    lines += ["", "| row | ms | in a graph | peak MiB |", "|---|---:|---:|---:|"]
    for row in rows:
        if row.get("ms") is not None:
            graph = "" if row["graph_ms"] is None else f"{row['graph_ms']:.4f}"
            peak = row["peak_bytes"] / 2**20
            lines.append(f"| {row['row']} | {row['ms']:.4f} | {graph} | {peak:.1f} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
