"""One family of runs: what it says first, and the rest in the order in which a reader asks."""

from __future__ import annotations

from collections.abc import Iterator

from dysample.workbench.report.commands import command_for_more, folded
from dysample.workbench.report.page.ablations import ablation_table, find_ablations
from dysample.workbench.report.page.blocks import Part, Section, Table, Told
from dysample.workbench.report.page.charts import (
    ablation_chart,
    cost_charts,
    curve_charts,
    difference_charts,
    published_without_costs,
    rate_charts,
)
from dysample.workbench.report.page.compared import Family
from dysample.workbench.report.page.pictures import Embedder
from dysample.workbench.report.page.tables import (
    class_tables,
    cost_table,
    measure_table,
    other_measures,
    rate_table,
)
from dysample.workbench.report.rates import RATES, rate_notes, rate_sentences
from dysample.workbench.report.rates_chart import rates_title
from dysample.workbench.report.summary import BASELINE
from dysample.workbench.report.verdict import GUIDED, seeds_sentence, statements
from dysample.workbench.report.wording import absent_sentence, span

COLUMNS = 60
"""Characters of a line of a command."""


def make_part(family: Family, embedder: Embedder) -> Part:
    """Everything on one family."""
    metric = family.members[0].group.main[0]
    more = [command_for_more(one.group, one.rows, "DIR") for one in family.members]
    commands = ["" if words is None else folded(words, COLUMNS) for words in more]
    sections = [
        *_further_main(family),
        _costs(family),
        Section("By class", tables=tuple(class_tables(family))),
        *_rates(family),
        _curves(family),
        _ablations(family),
        _pictures(family, embedder),
        _others(family),
        Section("Data and settings", tables=(_settings(family),)),
    ]
    return Part(
        family.title,
        family.anchor,
        tuple(map(Told, _verdicts(family, metric), commands)),
        difference_charts(family, metric),
        measure_table(family, metric, costs=True),
        tuple(_notes(family)),
        tuple(one for one in sections if one.charts or one.tables or one.pictures or one.sentences),
    )


def _verdicts(family: Family, metric: str) -> tuple[str, ...]:
    """Return one paragraph of verdicts for each head."""
    told = []
    for member in family.members:
        start = ", ".join([*filter(None, [member.head]), span(member.seeds, "seed")])
        said = statements(member.group, member.rows, member.to_baseline, metric)
        told.append(f"{start[0].upper()}{start[1:]}. {' '.join(said)}")
    return tuple(told)


def _notes(family: Family) -> Iterator[str]:
    if any(member.to_baseline[member.group.main[0]] for member in family.members):
        yield (
            "In the picture dots are seeds, vertical bars their mean, thick bars the bootstrap "
            "interval and thin lines the t interval; an arrow marks where the axis cuts it off."
        )
    yield seeds_sentence(count for member in family.members for count in member.seeds)
    yield from dict.fromkeys(
        absent for one in family.members if (absent := absent_sentence(one.group))
    )
    if any(row.guided for member in family.members for row in member.rows):
        yield GUIDED


def _further_main(family: Family) -> Iterator[Section]:
    """Return sections on the main measures after the first one."""
    group = family.members[0].group
    for metric in group.main[1:]:
        yield Section(
            f"Second measure: {group.measures[metric].name}",
            _verdicts(family, metric),
            difference_charts(family, metric),
            (measure_table(family, metric),),
        )


def _costs(family: Family) -> Section:
    charts = tuple(cost_charts(family))
    sentences = [
        f"Large points: the mean of {BASELINE} (dashed) plus the paired difference; bars: its "
        "bootstrap interval; small points: seeds. Diamonds: guided upsamplers. Published scores "
        "are of other models and data, and have a chart of their own."
    ]
    if published := published_without_costs(family.task):
        sentences.append(published)
    return Section("Accuracy against cost", tuple(sentences), charts, (cost_table(family),))


def _rates(family: Family) -> Iterator[Section]:
    """Return a section on the search for learning rates, if there was one."""
    if not family.members[0].group.tuned:
        return
    general = dict.fromkeys(
        text for member in family.members for text in rate_sentences(member.group)
    )
    notes = [
        f"{member.head.capitalize()}: {note}" if len(family.members) > 1 else note
        for member in family.members
        for note in rate_notes(member.group)
    ]
    yield Section(
        RATES,
        (*general, *notes),
        rate_charts(family),
        tuple(
            rate_table(member.group, member.titled(rates_title(member.group)))
            for member in family.members
        ),
    )


def _curves(family: Family) -> Section:
    charts = curve_charts(family)
    sentence = (
        f"Training loss, mean over seeds; grey: {BASELINE}. It shows whether training converged, "
        "and does not rank the upsamplers."
    )
    return Section("Learning curves", (sentence,) if charts else (), charts)


def _ablations(family: Family) -> Section:
    found = [(member, ablation) for member in family.members for ablation in find_ablations(member)]
    charts = [
        ablation_chart(member, ablation, f"{family.anchor}-ablation-{place}")
        for place, (member, ablation) in enumerate(found)
    ]
    return Section(
        "Ablations",
        charts=tuple(chart for chart in charts if chart is not None),
        tables=tuple(ablation_table(member, ablation) for member, ablation in found),
    )


def _pictures(family: Family, embedder: Embedder) -> Section:
    shown = [embedder.embed(member.pictures, member.group.title) for member in family.members]
    return Section(
        "Pictures",
        sentences=tuple(sentence for _, sentences in shown for sentence in sentences),
        pictures=tuple(picture for pictures, _ in shown for picture in pictures),
    )


def _others(family: Family) -> Section:
    table = other_measures(family)
    return Section("Further measures", tables=() if table is None else (table,))


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
        "rate scale": "as chosen for each upsampler" if group.tuned else None,
    }
    if group.head is not None:
        described["head"] = [member.group.head for member in family.members]
    rows = [
        (key.replace("_", " "), ", ".join(map(str, value if isinstance(value, list) else [value])))
        for key, value in described.items()
        if value is not None
    ]
    return Table("The same for all upsamplers", ("what", "value"), tuple(rows))
