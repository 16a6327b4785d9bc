"""The part of the page on one family of runs, in the order in which a newcomer asks."""

from __future__ import annotations

from collections.abc import Iterator

from dysample.workbench.report.commands import command_for_more, commands
from dysample.workbench.report.intervals import estimate
from dysample.workbench.report.page.ablations import Ablation, find_ablations
from dysample.workbench.report.page.blocks import (
    Beside,
    Block,
    Bullets,
    Code,
    Heading,
    Paragraph,
    Table,
    folded,
)
from dysample.workbench.report.page.charts import (
    ablation_chart,
    cost_charts,
    curve_charts,
    difference_charts,
)
from dysample.workbench.report.page.compared import Compared, Family
from dysample.workbench.report.page.order import order_blocks
from dysample.workbench.report.page.pairs import pair_table
from dysample.workbench.report.page.pictures import Embedder
from dysample.workbench.report.page.tables import (
    ESTIMATE_HEADS,
    class_tables,
    cost_table,
    difference_table,
    estimate_cells,
    other_measures,
)
from dysample.workbench.report.published import NOISE, main_scores
from dysample.workbench.report.summary import BASELINE
from dysample.workbench.report.verdict import MORE, seeds_sentence, statements
from dysample.workbench.report.wording import absent_sentence


def family_blocks(family: Family, embedder: Embedder) -> Iterator[Block]:
    """Everything on one family."""
    yield Heading(family.title, 2, family.anchor)
    yield Bullets(tuple(_sentences(family)))
    groups = [member.group for member in family.members]
    more = [command_for_more(one.group, one.rows, "DIR") for one in family.members]
    if lines := [" ".join(words) for words in more if words is not None]:
        yield Paragraph(MORE)
        yield Code("\n".join(lines))
    yield from _differences(family)
    yield from _costs(family)
    yield from _ablations(family)
    if (curves := curve_charts(family)) is not None:
        yield _heading(family, "Learning curves")
        yield Paragraph(
            f"Training loss, the mean over seeds; grey: {BASELINE}. Loss is no measure of what the "
            "model is good for, but shows whether training had come to rest."
        )
        yield curves
    yield from _classes(family)
    yield from _pictures(family, embedder)
    yield _heading(family, "Settings and command")
    yield _settings(family)
    yield Code(commands(groups))


def _sentences(family: Family) -> Iterator[str]:
    yield seeds_sentence(count for member in family.members for count in member.seeds)
    for member in family.members:
        start = f"{member.head[0].upper()}{member.head[1:]}. " if member.head else ""
        for metric in member.group.main:
            told = statements(member.group, member.rows, member.to_baseline, metric)
            yield f"{start}{' '.join(told)}"
        if absent := absent_sentence(member.group):
            yield f"{start}{absent}"


def _differences(family: Family) -> Iterator[Block]:
    yield _heading(family, f"Differences to {BASELINE}")
    if (charts := difference_charts(family)) is not None:
        yield Paragraph(
            "Dots: one seed each. Upright bars: their mean. Thick bars: bootstrap interval. Thin "
            "lines: t interval; an arrow where it goes on beyond the plot."
        )
        yield charts
    for metric in family.members[0].group.main:
        yield difference_table(family, metric)
    for member in family.members:
        if (pairs := pair_table(member)) is not None:
            yield pairs
    if (others := other_measures(family)) is not None:
        yield others


def _costs(family: Family) -> Iterator[Block]:
    yield _heading(family, "Accuracy against cost")
    yield Paragraph(
        f"Large points: the mean of {BASELINE} (dashed) plus the paired difference; bars: its "
        "bootstrap interval; small points: seeds. Diamonds: guided upsamplers. Published scores "
        "are of other models and data, and have a chart of their own."
    )
    yield from cost_charts(family)
    yield cost_table(family)
    blocks = [block for member in family.members for block in order_blocks(member)]
    if blocks:
        yield _heading(family, "The literature's order and ours")
        if family.task == "semantic":
            yield Paragraph(NOISE)
        yield from blocks


def _ablations(family: Family) -> Iterator[Block]:
    found = [(member, ablation) for member in family.members for ablation in find_ablations(member)]
    if not found:
        return
    yield _heading(family, "Ablations")
    charts = [
        ablation_chart(member, ablation, f"{family.anchor}-ablation-{place}")
        for place, (member, ablation) in enumerate(found)
        if any(row.name in member.to_baseline[member.group.main[0]] for row in ablation.rows)
    ]
    if charts:
        yield Beside(tuple(charts))
    for member, ablation in found:
        yield _ablation_table(member, ablation)


def _ablation_table(member: Compared, ablation: Ablation) -> Table:
    rows = {row.name: row for row in (*member.rows, *member.variants)}
    metric = member.group.main[0]
    scores = main_scores(member.group.task)
    published = ablation.published if scores is not None and scores.metric == "miou" else {}
    lines = []
    for label, row, name in zip(ablation.labels, ablation.rows, ablation.reference):
        to_baseline = member.to_baseline[metric].get(row.name)
        gain = estimate(row, rows[name], metric) if name in rows else None
        cells = [label, str(len(row.records)), *estimate_cells(to_baseline), *estimate_cells(gain)]
        if published:
            cells.append(published.get(row.name, "-"))
        lines.append(tuple(cells))
    heads = ["", "seeds", *ESTIMATE_HEADS, *ESTIMATE_HEADS]
    over = [("", 2), (f"to {BASELINE}", 3), (f"to {ablation.against}", 3)]
    if published:
        heads.append("gain,\npoints")
        over.append(("published", 1))
    head = f", {member.head}" if member.head else ""
    name = member.group.measures[metric].name
    return Table(f"{ablation.title}: {name}{head}", tuple(heads), tuple(lines), tuple(over))


def _classes(family: Family) -> Iterator[Block]:
    tables = list(class_tables(family))
    if tables:
        yield _heading(family, "By class")
    yield from map(folded, tables)


def _pictures(family: Family, embedder: Embedder) -> Iterator[Block]:
    blocks = [
        block
        for member in family.members
        for block in embedder.blocks(member.pictures, member.group.title)
    ]
    if blocks:
        yield _heading(family, "Pictures")
        yield from blocks


def _settings(family: Family) -> Table:
    group = family.members[0].group
    data = dict(group.data)
    described = {
        "data set": data.pop("name"),
        "training images": data.pop("train", None),
        "validation images": data.pop("val", None),
        "height x width": f"{data.pop('height')} x {data.pop('width')}",
        **data,
        **group.settings,
    }
    if group.head is not None:
        described["head"] = [member.group.head for member in family.members]
    rows = [
        (key.replace("_", " "), ", ".join(map(str, value if isinstance(value, list) else [value])))
        for key, value in described.items()
        if value is not None
    ]
    return Table("Data and settings, the same for all upsamplers", ("what", "value"), tuple(rows))


def _heading(family: Family, text: str) -> Heading:
    anchor = "-".join(
        [family.anchor, *"".join(c if c.isalnum() else " " for c in text).lower().split()]
    )
    return Heading(text, 3, anchor)
