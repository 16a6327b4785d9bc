"""Ablations: the steps of a design, and one option at several values."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dysample.registry import get_entry, list_upsamplers
from dysample.workbench.report.intervals import estimate
from dysample.workbench.report.page.blocks import Table
from dysample.workbench.report.page.compared import STEPS, Compared
from dysample.workbench.report.page.tables import ESTIMATE_HEADS, estimate_cells
from dysample.workbench.report.published import STEP_GAINS, main_scores
from dysample.workbench.report.summary import BASELINE, Row


@dataclass(frozen=True)
class Ablation:
    """
    One ablation: rows in the order of the value that varies.

    Attributes:
        title: what is varied.
        labels: what each row stands for, by its place.
        rows: of the group.
        reference: names of the rows that each is compared with; None for a first step.
        against: what these are, in words.
        published: gains that the literature prints, in points, by name of the row.
    """

    title: str
    labels: tuple[str, ...]
    rows: tuple[Row, ...]
    reference: tuple[str | None, ...]
    against: str
    published: Mapping[str, str]


def find_ablations(compared: Compared) -> list[Ablation]:
    """Return the ablations of a group, design steps first, without rows that have no reference."""
    found = [_design(compared)]
    rows = {row.name: row for row in (*compared.rows, *compared.variants)}
    options = dict.fromkeys(
        (row.records[0].upsampler, key)
        for row in compared.variants
        for key in row.records[0].upsampler_options
        if len(row.records[0].upsampler_options) == 1
    )
    found += [_option(rows, upsampler, option) for upsampler, option in options]
    return [ablation for ablation in found if ablation is not None]


def ablation_table(member: Compared, ablation: Ablation) -> Table:
    """Return the differences to bilinear and to each row's reference, in the first measure."""
    rows = {row.name: row for row in (*member.rows, *member.variants)}
    metric = member.group.main[0]
    scores = main_scores(member.group.task)
    published = ablation.published if scores is not None and scores.metric == "miou" else {}
    lines = []
    for label, row, name in zip(ablation.labels, ablation.rows, ablation.reference):
        to_baseline = member.to_baseline[metric].get(row.name)
        gain = estimate(row, rows[name], metric) if name in rows else None
        cells = [label, str(len(row.records)), *estimate_cells(to_baseline), *estimate_cells(gain)]
        lines.append((*cells, published.get(row.name, "-")) if published else tuple(cells))
    ends = ESTIMATE_HEADS[1:]
    heads = ["", "seeds", f"to {BASELINE}", *ends, f"to {ablation.against}", *ends]
    if published:
        heads.append("published gain, points")
    title = f"{ablation.title}: {member.group.measures[metric].name}"
    return Table(f"{member.titled(title)}, paired differences", tuple(heads), tuple(lines))


def _design(compared: Compared) -> Ablation | None:
    rows = [row for row in compared.variants if row.name.startswith(STEPS)]
    if len(rows) < 2:
        return None
    known = list_upsamplers(f"{STEPS}*")
    rows.sort(key=lambda row: known.index(row.name))
    labels = [get_entry(row.name).summary.removeprefix("design step: ") for row in rows]
    names = [row.name for row in rows]
    before = [known[place - 1] if (place := known.index(name)) else None for name in names]
    return Ablation(
        "The steps of DySample's design",
        tuple(f"{name.removeprefix(STEPS)}: {label}" for name, label in zip(names, labels)),
        tuple(rows),
        tuple(name if name in names else None for name in before),
        "the step before",
        STEP_GAINS,
    )


def _option(rows: Mapping[str, Row], upsampler: str, option: str) -> Ablation | None:
    """The variants in one option, and the upsampler itself at the value that it has."""
    base = rows.get(upsampler)
    usual = _usual(upsampler, option)
    valued: list[tuple[Any, Row]] = [
        (row.records[0].upsampler_options[option], row)
        for row in rows.values()
        if row.records[0].upsampler == upsampler
        and list(row.records[0].upsampler_options) == [option]
    ]
    if base is not None:
        valued.append((usual, base))
    if len(valued) < 2:
        return None
    valued.sort(key=lambda one: _sortable(one[0]))
    reference = None if base is None else upsampler
    return Ablation(
        f"{upsampler}: {option}",
        tuple(f"{value}" + (" (default)" if row is base else "") for value, row in valued),
        tuple(row for _, row in valued),
        tuple(None if row is base else reference for _, row in valued),
        f"{upsampler} by default",
        {},
    )


def _usual(upsampler: str, option: str) -> Any:
    """The value that a registered name gives to an option; None where it is not registered."""
    if upsampler not in list_upsamplers():
        return None
    entry = get_entry(upsampler)
    parameters = inspect.signature(entry.factory).parameters
    default = parameters[option].default if option in parameters else None
    return entry.options.get(option, default)


def _sortable(value: Any) -> tuple[bool, float, str]:
    is_number = isinstance(value, int | float)
    return not is_number, float(value) if is_number else 0.0, str(value)
