"""The committed table of what Triton's kernels take on a GPU, and what it says in the pages."""

from __future__ import annotations

import json
from typing import Any

from support.ahead import FOLDER, TARGETS, rows

TABLE = FOLDER / "backends" / "gpu" / "budget.json"


def version() -> str:
    """The release of Triton that compiles here."""
    import triton

    return triton.__version__


def read_table() -> dict[str, Any]:
    """The committed rows of kernels and of calls, and the release of Triton that they are of."""
    return json.loads(TABLE.read_text())


def write_table() -> None:
    """Compile for every target, and write what `read_table` reads: a row a line."""
    made = [row for target in TARGETS for row in rows(target)]
    first = next(iter(TARGETS))
    calls = [row for row in made if "floor" in row and row["target"] == first]
    for row in calls:
        del row["target"]
    kernels = [row for row in made if "kernel" in row]
    parts = {"triton": json.dumps(version()), "calls": _lines(calls), "kernels": _lines(kernels)}
    text = ",\n".join(f'"{key}": {value}' for key, value in parts.items())
    TABLE.write_text(f"{{\n{text}\n}}\n")


def _lines(rows: list[dict[str, Any]]) -> str:
    return "[\n" + ",\n".join(map(json.dumps, rows)) + "\n]"


def budget_table(before: str = "") -> str:
    """Compile, keep the table, and return it as it stands in the page."""
    write_table()
    return markdown(read_table())


def markdown(table: dict[str, Any]) -> str:
    """Calls with their estimated bytes and kernels: registers on each target, warps, memory."""
    first, second = TARGETS
    registers = f"registers {first} | {second}"
    head = f"| call | layout | kernel | {registers} | spilled | warps | loads, stores |"
    lines = [head, "|---|---|---|---:|---:|---:|---:|---|"]
    kernels = {target: [k for k in table["kernels"] if k["target"] == target] for target in TARGETS}
    for one, other in zip(*kernels.values()):
        key = ("call", "dtype", "last", "kernel")
        assert [one[k] for k in key] == [other[k] for k in key]
        layout = f"{one['dtype']} {'NHWC' if one['last'] else 'NCHW'}"
        memory = ", ".join(
            f"{count} {name}" for name, count in other["memory"].items() if name != "BAR"
        )
        spilled = max(one["spilled"], other["spilled"])
        lines.append(
            f"| {one['call']} | {layout} | `{one['kernel']}` | {one['registers']} |"
            f" {other['registers']} | {spilled} | {one['warps']} | {memory} |"
        )
    lines += ["", "| call | layout | MB, estimated | floor | ratio |", "|---|---|---:|---:|---:|"]
    for row in table["calls"]:
        layout = f"{row['dtype']} {'NHWC' if row['last'] else 'NCHW'}"
        ratio = row["bytes"] / row["floor"]
        lines.append(
            f"| {row['call']} | {layout} | {row['bytes'] / 1e6:.1f} | {row['floor'] / 1e6:.1f} |"
            f" {ratio:.2f} |"
        )
    return "\n".join(lines)
