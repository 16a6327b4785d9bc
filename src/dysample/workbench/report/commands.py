"""The command that makes the runs a conclusion lacks."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from dysample.workbench.record import Record
from dysample.workbench.report.summary import BASELINE, Group, Row, Search
from dysample.workbench.report.verdict import ENOUGH
from dysample.workbench.settings import LATER, SMALL, TASKS, settings_for

DEFAULT_TASK = "semantic"
"""The default of `dysample compare --tasks`."""


def command_for_more(group: Group, rows: Sequence[Row], output: str) -> list[str] | None:
    """The command that makes the seeds a conclusion needs, by options.

    None if no row lacks any, or `dysample compare` cannot make them.

    Args:
        group: of comparable runs.
        rows: those of its upsamplers that count.
        output: folder of the result file.
    """
    seeds = {row.name: {record.seed for record in row.records} for row in group.rows}
    with_baseline = seeds.get(BASELINE, set())
    few = [row for row in rows if len(seeds[row.name] & with_baseline) < ENOUGH]
    if group.settings.get("held_out") or any(_given(group.search(row.name)) for row in few):
        return None  # no option makes such runs
    words = [_word(row.records[0]) for row in few if row.name != BASELINE]
    if not words:
        return None
    name = group.data["name"]
    data = name if name == "scenes" else f"{name}:PATH"
    usual: dict[str, Any] = {}
    if group.task in TASKS:
        recipe = settings_for(group.task, data)
        if (model := group.settings.get("model")) in recipe.models:
            recipe = settings_for(group.task, data, model=model)
        usual = {**asdict(recipe), "model": SMALL}  # other models are named
    options = {
        "tasks": group.task if group.task != DEFAULT_TASK else None,
        "data": data if data != "scenes" else None,
        "upsamplers": ",".join([BASELINE, *words]),
        "seeds": ENOUGH,
        "tune": True if group.tuned else None,
        "output": output,
        **{key: value for key, value in _settings(group).items() if usual.get(key) != value},
    }
    return [
        "dysample compare",
        *(_option(key, value) for key, value in options.items() if value is not None),
    ]


def _settings(group: Group) -> dict[str, Any]:
    """The settings, with those that records name only if they are not as in `LATER`."""
    scenes = group.data["name"] == "scenes"
    later = {key: value for key, value in LATER.items() if not (scenes and key == "augment")}
    return {**later, **group.settings}


def _given(search: Search | None) -> bool:
    """Whether the scale of an upsampler's learning rate was not chosen by trials."""
    return search is not None and not search.trials


def _option(key: str, value: Any) -> str:
    name = key.replace("_", "-")
    if isinstance(value, bool):
        return f"--{name}" if value else f"--no-{name}"
    return f"--{name} {shlex.quote(str(value))}"


def _word(record: Record) -> str:
    """As `--upsamplers` takes it: options are written as in Python."""
    options = ", ".join(f"{key}={value!r}" for key, value in record.upsampler_options.items())
    return f"{record.upsampler}({options})" if options else record.upsampler


def folded(command: Sequence[str], width: int) -> str:
    """A command over lines that a shell joins again, broken between options."""
    lines = [command[0]]
    for option in command[1:]:
        if len(lines[-1]) + len(option) + 3 > width:  # with the space and the backslash
            lines[-1] += " \\"
            lines.append(f"  {option}")
        else:
            lines[-1] += f" {option}"
    return "\n".join(lines)
