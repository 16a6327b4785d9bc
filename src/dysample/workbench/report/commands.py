"""The commands that make the runs of a group, and those that would allow a conclusion."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dysample.workbench.record import Record
from dysample.workbench.report.summary import BASELINE, Group, Row
from dysample.workbench.report.verdict import ENOUGH
from dysample.workbench.settings import TASKS, settings_for

DEFAULT_TASK = "semantic"
"""Of `dysample compare`."""


def commands(groups: Sequence[Group]) -> str:
    """`dysample compare` with every option spelled out, one call for each number of seeds."""
    return "\n".join(line for group in groups for line in _of_group(group))


def command_for_more(group: Group, rows: Sequence[Row], output: str) -> list[str] | None:
    """The command that makes the seeds a conclusion needs, by options; None if no row lacks any.

    Args:
        group: of comparable runs.
        rows: those of its upsamplers that count.
        output: folder of the result file.
    """
    seeds = {row.name: {record.seed for record in row.records} for row in group.rows}
    with_baseline = seeds.get(BASELINE, set())
    few = [row for row in rows if len(seeds[row.name] & with_baseline) < ENOUGH]
    words = [_word(row.records[0]) for row in few if row.name != BASELINE]
    if not words:
        return None
    data = _data(group)
    usual = settings_for(group.task, data) if group.task in TASKS else None
    options = {
        "tasks": group.task if group.task != DEFAULT_TASK else None,
        "data": data if data != "scenes" else None,
        "upsamplers": ",".join([BASELINE, *words]),
        "seeds": ENOUGH,
        "output": output,
        **{
            key: value
            for key, value in _settings(group).items()
            if usual is None or getattr(usual, key, None) != value
        },
    }
    return _command(options)


def _of_group(group: Group) -> Iterator[str]:
    by_seeds: dict[int, list[Row]] = {}
    for row in group.rows:
        by_seeds.setdefault(1 + max(one.seed for one in row.records), []).append(row)
    for seeds, rows in sorted(by_seeds.items(), reverse=True):
        options = {
            "tasks": group.task,
            "data": _data(group),
            "upsamplers": ",".join(_word(row.records[0]) for row in rows),
            "seeds": seeds,
        }
        yield " ".join(_command({**options, **_settings(group)}))


def _settings(group: Group) -> dict[str, Any]:
    """The settings, with `augment` where there is a choice: records name it only if true."""
    augment = {} if group.data["name"] == "scenes" else {"augment": False}
    return {**augment, **group.settings}


def _data(group: Group) -> str:
    name: str = group.data["name"]
    return name if name == "scenes" else f"{name}:PATH"


def _command(options: Mapping[str, Any]) -> list[str]:
    return [
        "dysample compare",
        *(_option(key, value) for key, value in options.items() if value is not None),
    ]


def _option(key: str, value: Any) -> str:
    name = key.replace("_", "-")
    if isinstance(value, bool):
        return f"--{name}" if value else f"--no-{name}"
    return f"--{name} {shlex.quote(str(value))}"


def _word(record: Record) -> str:
    """As `--upsamplers` takes it: options are written as in Python."""
    options = ", ".join(f"{key}={value!r}" for key, value in record.upsampler_options.items())
    return f"{record.upsampler}({options})" if options else record.upsampler
