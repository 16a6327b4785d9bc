"""The tables of a family of runs, the heads side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from dysample.workbench.report.intervals import Estimate
from dysample.workbench.report.page.blocks import Table
from dysample.workbench.report.page.compared import Compared, Family
from dysample.workbench.report.summary import BASELINE, Row
from dysample.workbench.report.wording import (
    count,
    difference,
    interval,
    listed,
    number,
    three_digits,
)

GUIDED_ROWS = "guided"
ESTIMATE_HEADS = ("difference", "bootstrap\n95 %", "t\n95 %")
MEASURES = {"iou": "IoU"}
"""Measures that exist by class alone."""
Cells = tuple[str, ...]


def difference_table(family: Family, metric: str) -> Table:
    """One measure: its mean, and the difference to bilinear with both intervals."""
    measure = family.members[0].group.measures[metric]
    heads = ("seeds", measure.short.replace(" ", "\n"), *ESTIMATE_HEADS)
    lower = "" if measure.higher_is_better else ", lower is better"

    def cells(member: Compared, row: Row) -> Cells:
        mean, one = row.metrics[metric].mean, member.to_baseline[metric].get(row.name)
        return (
            str(len(row.records)),
            "-" if mean is None else number(mean),
            *estimate_cells(one),
        )

    caption = f"{measure.name}: mean over seeds, and paired difference to {BASELINE}{lower}"
    return _side_by_side(family, caption, heads, cells)


def estimate_cells(one: Estimate | None) -> Cells:
    """Mean and both intervals, below `ESTIMATE_HEADS`."""
    if one is None:
        return ("-",) * len(ESTIMATE_HEADS)
    return difference(one.mean), interval(one.bootstrap), interval(one.t)


def other_measures(family: Family) -> Table | None:
    """Means of the measures that have no differences; None if there are none."""
    group = family.members[0].group
    if not group.others:
        return None
    heads = tuple(group.measures[key].short.replace(" ", "\n") for key in group.others)
    measures = [group.measures[key] for key in group.others]
    lower = [measure.name for measure in measures if not measure.higher_is_better]
    caption = "Further measures, means over seeds"
    if lower:
        caption += f"; lower is better: {listed(lower)}"

    def cells(member: Compared, row: Row) -> Cells:
        means = [row.metrics[key].mean for key in member.group.others]
        return tuple("-" if mean is None else number(mean) for mean in means)

    return _side_by_side(family, caption, heads, cells)


def cost_table(family: Family) -> Table:
    """What the upsamplers of the model cost, and the whole model."""
    heads = (
        "parameters\nupsamplers",
        "model",
        "MACs\nupsamplers",
        "model",
        "train\nseconds",
    )

    def cells(_: Compared, row: Row) -> Cells:
        one = row.records[0]
        return (
            count(one.parameters.upsamplers),
            count(one.parameters.total),
            count(one.macs.upsamplers),
            count(one.macs.total),
            three_digits(row.seconds),
        )

    caption = (
        "Cost of one image; MACs are multiply-adds, seconds the median training time beside other "
        "runs of the same machine"
    )
    return _side_by_side(family, caption, heads, cells)


def class_tables(family: Family) -> Iterator[Table]:
    """A row a class: bilinear's mean, and the mean paired difference of each other upsampler."""
    for member in family.members:
        keys = dict.fromkeys(
            key for row in member.rows for record in row.records for key in record.by_class
        )
        for key in keys:
            yield _class_table(member, key)


def class_difference(row: Row, baseline: Row | None, key: str, name: str) -> float | None:
    """Mean over the seeds that both have; of `row` alone if there is no baseline."""
    partners = {record.seed: record for record in baseline.records} if baseline else {}
    values = []
    for record in row.records:
        value = record.by_class.get(key, {}).get(name)
        if baseline is not None:
            partner = partners.get(record.seed)
            other = None if partner is None else partner.by_class.get(key, {}).get(name)
            value = None if value is None or other is None else value - other
        if value is not None:
            values.append(value)
    return sum(values) / len(values) if values else None


def _class_measure(member: Compared, key: str) -> str:
    """What is measured by class: as its mean over classes is called, or by the key itself."""
    key = key.removeprefix("class_")
    measure = member.group.measures.get(key)
    return MEASURES.get(key, key) if measure is None else measure.name


def _class_table(member: Compared, key: str) -> Table:
    baseline = member.group.baseline
    columns = [row for row in member.rows if row is not baseline]
    names = dict.fromkeys(
        name for row in member.rows for one in row.records for name in one.by_class.get(key, {})
    )
    rows = []
    for name in names:
        cells = [name]
        if baseline is not None:
            value = class_difference(baseline, None, key, name)
            cells.append("-" if value is None else number(value))
        for row in columns:
            value = class_difference(row, baseline, key, name)
            signed = baseline is not None
            cells.append("-" if value is None else number(value, sign=signed))
        rows.append(tuple(cells))
    head = f", {member.head}" if member.head else ""
    what = _class_measure(member, key)
    caption = f"{what} by class{head}: " + (
        f"{BASELINE}, and mean paired differences to it"
        if baseline is not None
        else "means over seeds"
    )
    heads = ["class"] if baseline is None else ["class", BASELINE]
    heads += [f"{row.name}\n(guided)" if row.guided else row.name for row in columns]
    return Table(caption, tuple(heads), tuple(rows))


def _side_by_side(
    family: Family,
    caption: str,
    heads: Sequence[str],
    cells: Callable[[Compared, Row], Cells],
) -> Table:
    """A row an upsampler, guided ones below a line of their own; the heads' columns in a row."""
    over = [("", 1), *((member.head, len(heads)) for member in family.members)]
    columns = ["upsampler", *(head for _ in family.members for head in heads)]
    by_name = [{row.name: row for row in member.rows} for member in family.members]
    guided = {row.name: row.guided for member in family.members for row in member.rows}
    rows: list[Cells | str] = []
    for name in family.names:
        if guided[name] and GUIDED_ROWS not in rows:
            rows.append(GUIDED_ROWS)
        line = [name]
        for member, found in zip(family.members, by_name):
            line += cells(member, found[name]) if name in found else ["-"] * len(heads)
        rows.append(tuple(line))
    several = len(family.members) > 1
    return Table(caption, tuple(columns), tuple(rows), tuple(over) if several else ())
