"""The tables of the page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from dysample.registry import list_upsamplers
from dysample.workbench.numbers import count, difference, interval, number, three_digits
from dysample.workbench.report.intervals import Estimate
from dysample.workbench.report.page.blocks import Cell, Judged, Table
from dysample.workbench.report.page.compared import Compared, Family
from dysample.workbench.report.rates import CHOSEN, chosen_text, scales_tried, scores_text
from dysample.workbench.report.summary import BASELINE, Group, Row
from dysample.workbench.report.verdict import verdict
from dysample.workbench.report.wording import KEEP, listed

ESTIMATE_HEADS = ("difference", "bootstrap 95 %", "t 95 %")
LOWER = "\u2193"
"""Behind a measure that is better when lower."""
MEASURES = {"iou": "IoU"}
"""Measures that exist by class alone."""


def summary_table(families: Sequence[Family]) -> Table:
    """Return one row per group: each upsampler's difference to bilinear in the first measure."""
    rows = {row.name: row for family in families for one in family.members for row in one.rows}
    rank = {name: place for place, name in enumerate(list_upsamplers())}
    others = sorted(
        (row for row in rows.values() if row.name != BASELINE),
        key=lambda row: (row.guided, rank.get(row.name, len(rank))),
    )
    lines, links = [], {}
    for family in families:
        for member in family.members:
            metric = member.group.main[0]
            measure = member.group.measures[metric]
            title = member.titled(family.title)
            links[title] = family.anchor
            baseline = member.group.baseline
            cells: list[Cell] = [
                title,
                measure.name if measure.higher_is_better else f"{measure.name} {LOWER}",
                _number(None if baseline is None else baseline.metrics[metric].mean),
            ]
            for row in others:
                one = member.to_baseline[metric].get(row.name)
                cells.append(
                    Judged(number(one.mean, sign=True), verdict(one, measure.higher_is_better))
                    if one is not None
                    else "-"
                )
            lines.append(tuple(cells))
    heads = ("task and data", "measure", BASELINE, *(_head(row) for row in others))
    caption = (
        f"Mean of {BASELINE} in the measure that leads each task ({LOWER}: lower is better), and "
        "the mean paired difference of each other upsampler to it. Green and bold: significantly "
        "better; red and italic: significantly worse"
    )
    return Table(caption, heads, tuple(lines), upright=True, links=links)


def measure_table(family: Family, metric: str, *, costs: bool = False) -> Table:
    """One measure: its mean, the difference to bilinear with both intervals and the verdict."""
    measure = family.members[0].group.measures[metric]
    tuned = costs and family.members[0].group.tuned
    cost_heads = ("parameters", "multiply-adds", "train seconds") if costs else ()
    heads = [measure.short, "difference", "verdict", *(["rate scale"] if tuned else [])]
    heads += [*cost_heads, *ESTIMATE_HEADS[1:], "seeds"]
    caption = (
        f"{measure.name}: mean over seeds, and paired difference to {BASELINE} with its intervals"
    )
    if not measure.higher_is_better:
        caption += ", lower is better"
    if costs:
        caption += (
            ". Parameters and multiply-adds are those of the upsamplers, for one image. Train "
            "seconds are the median over runs, which may share the machine with others"
        )

    def cells(member: Compared, row: Row) -> tuple[Cell, ...]:
        one, first = member.to_baseline[metric].get(row.name), row.records[0]
        judged = None if one is None else verdict(one, measure.higher_is_better)
        mean, *intervals = estimate_cells(one)
        cost = (
            count(first.parameters.upsamplers),
            count(first.macs.upsamplers),
            three_digits(row.seconds),
        )
        return (
            _number(row.metrics[metric].mean),
            mean,
            "-" if judged is None else Judged(judged.value, judged),
            *([chosen_text(member.group.search(row.name))] if tuned else []),
            *(cost if costs else ()),
            *intervals,
            str(len(row.records)),
        )

    return _by_head(family, caption, heads, cells)


def estimate_cells(one: Estimate | None) -> tuple[str, ...]:
    """Mean and both intervals, below `ESTIMATE_HEADS`."""
    if one is None:
        return ("-",) * len(ESTIMATE_HEADS)
    return difference(one.mean), interval(one.bootstrap), interval(one.t)


def other_measures(family: Family) -> Table | None:
    """Means of the measures that have no differences; None if there are none."""
    group = family.members[0].group
    if not group.others:
        return None
    measures = [group.measures[key] for key in group.others]
    lower = [measure.name for measure in measures if not measure.higher_is_better]
    caption = "Means over seeds" + (f"; lower is better: {listed(lower)}" if lower else "")

    def cells(member: Compared, row: Row) -> tuple[Cell, ...]:
        return tuple(_number(row.metrics[key].mean) for key in member.group.others)

    return _by_head(family, caption, [measure.short for measure in measures], cells)


def cost_table(family: Family) -> Table:
    """Return parameters and multiply-adds that the upsamplers add, and those of the whole model."""
    heads = (
        *("parameters, upsamplers", "parameters, model"),
        *("multiply-adds, upsamplers", "multiply-adds, model"),
    )

    def cells(_: Compared, row: Row) -> tuple[Cell, ...]:
        first = row.records[0]
        numbers = (first.parameters.upsamplers, first.parameters.total)
        return tuple(map(count, (*numbers, first.macs.upsamplers, first.macs.total)))

    return _by_head(family, "Cost of one image", heads, cells)


def class_tables(family: Family) -> Iterator[Table]:
    """Return one row per class: bilinear's mean, and each upsampler's mean paired difference."""
    for member in family.members:
        keys = dict.fromkeys(
            key for row in member.rows for record in row.records for key in record.by_class
        )
        for key in keys:
            yield _class_table(member, key)


def class_difference(row: Row, baseline: Row | None, key: str, name: str) -> float | None:
    """Return the mean difference over common seeds; the mean of `row` if there is no baseline."""
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
            cells.append(_number(class_difference(baseline, None, key, name)))
        for row in columns:
            value = class_difference(row, baseline, key, name)
            cells.append(_number(value, sign=baseline is not None))
        rows.append(tuple(cells))
    told = "means over seeds"
    if baseline is not None:
        told = f"{BASELINE}, and mean paired differences to it"
    # As its mean over classes is called, or by the key itself.
    key = key.removeprefix("class_")
    measure = member.group.measures.get(key)
    what = MEASURES.get(key, key) if measure is None else measure.name
    heads = ["class", *([] if baseline is None else [BASELINE]), *map(_head, columns)]
    caption = f"{member.titled(f'{what} by class')}: {told}"
    return Table(caption, tuple(heads), tuple(rows), upright=True)


def rate_table(group: Group, title: str) -> Table:
    """Return the leading measure of the trials by scale, and the scale of the runs."""
    scales = scales_tried(group.searches)
    rows: list[tuple[Cell, ...] | str] = []
    for guided in (False, True):
        found = [one for one in group.searches if one.guided is guided]
        rows += ["guided"] if guided and found else []
        rows += [
            (
                one.name,
                *scores_text(one, group.main[0], scales, mark=CHOSEN),
                chosen_text(one),
            )
            for one in found
        ]
    heads = ("upsampler", *(f"x{KEEP}{scale:g}" for scale in scales), "chosen")
    return Table(title, heads, tuple(rows))


def _by_head(
    family: Family,
    caption: str,
    heads: Sequence[str],
    cells: Callable[[Compared, Row], tuple[Cell, ...]],
) -> Table:
    """A row an upsampler; several heads, and guided upsamplers, each below a line of their own."""
    rows: list[tuple[Cell, ...] | str] = []
    for member in family.members:
        for guided in (False, True):
            found = [row for row in member.rows if row.guided is guided]
            parts = [member.head] if len(family.members) > 1 else []
            label = ", ".join([*parts, "guided"] if guided else parts)
            if found and label:
                rows.append(label)
            rows += [(row.name, *cells(member, row)) for row in found]
    return Table(caption, ("upsampler", *heads), tuple(rows))


def _head(row: Row) -> str:
    return f"{row.name} (guided)" if row.guided else row.name


def _number(value: float | None, sign: bool = False) -> str:
    return "-" if value is None else number(value, sign=sign)
