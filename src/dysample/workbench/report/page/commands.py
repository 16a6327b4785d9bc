"""The commands that make the runs of a group, read off their records."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from dysample.workbench.report.page.compared import Family
from dysample.workbench.report.summary import Group, Row


def commands(family: Family) -> str:
    """`dysample compare` with every option spelled out, one call for each number of seeds."""
    return "\n".join(line for member in family.members for line in _of_group(member.group))


def _of_group(group: Group) -> Iterator[str]:
    by_seeds: dict[int, list[Row]] = {}
    for row in group.rows:
        by_seeds.setdefault(1 + max(one.seed for one in row.records), []).append(row)
    for seeds, rows in sorted(by_seeds.items(), reverse=True):
        name = group.data["name"]
        options = [
            ("tasks", group.task),
            ("data", name if name == "scenes" else f"{name}:PATH"),
            ("upsamplers", _upsamplers(rows)),
            ("seeds", seeds),
            *((key.replace("_", "-"), value) for key, value in group.settings.items()),
        ]
        words = [
            f"--{key} {shlex.quote(str(value))}" for key, value in options if value is not None
        ]
        yield f"dysample compare {' '.join(words)}"


def _upsamplers(rows: Sequence[Row]) -> str:
    """As `--upsamplers` takes them: options are written as in Python."""
    words = []
    for row in rows:
        record = row.records[0]
        options = ", ".join(f"{key}={value!r}" for key, value in record.upsampler_options.items())
        words.append(f"{record.upsampler}({options})" if options else record.upsampler)
    return ",".join(words)
