"""The whole page: what was compared, what it allows one to say, then family by family."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from dysample.files import whole_file
from dysample.workbench.record import Record
from dysample.workbench.report.page.blocks import (
    Block,
    Bullets,
    Code,
    Heading,
    Paragraph,
    Table,
    folded,
)
from dysample.workbench.report.page.compared import TASKS, Family, compare
from dysample.workbench.report.page.html import to_html
from dysample.workbench.report.page.markdown import to_markdown
from dysample.workbench.report.page.pictures import Embedder
from dysample.workbench.report.page.reading import reading
from dysample.workbench.report.page.sections import family_blocks
from dysample.workbench.report.page.tidy import to_csv
from dysample.workbench.report.published import NOTES, SCORES, SOURCES
from dysample.workbench.report.summary import Group
from dysample.workbench.report.verdict import statements
from dysample.workbench.report.wording import listed, span

TITLE = "Upsamplers compared"


def write_page(
    groups: Sequence[Group], pictures: Sequence[Sequence[Path]], results: Path, output: Path
) -> list[Path]:
    """
    Write report.html, and the same text and tables as report.md and report.csv.

    Args:
        groups: of all runs.
        pictures: for each group the figures that show its frames.
        results: the file that they were read from.
        output: an existing folder.
    """
    found = compare(groups, pictures)
    blocks = list(page_blocks(found, results))
    written = []
    for name, text in (
        ("report.csv", to_csv(found)),
        ("report.md", to_markdown(blocks)),
        ("report.html", to_html(blocks)),
    ):
        with whole_file(output / name) as file:
            file.write(text.encode())
        written.append(output / name)
    return written


def page_blocks(found: Sequence[Family], results: Path) -> Iterator[Block]:
    """All blocks of the page."""
    records = [
        record
        for family in found
        for member in family.members
        for row in member.group.rows
        for record in row.records
    ]
    yield Heading(TITLE, 1, "top")
    yield Paragraph(_compared(found, records))
    yield Heading("In short", 2, "short")
    yield Bullets(tuple(text for family in found for text in _in_short(family)))
    yield Heading("How to read the differences", 2, "reading")
    yield Bullets(tuple(reading(found)))
    embedder = Embedder()
    for family in found:
        yield from family_blocks(family, embedder)
    yield Heading("How this was made", 2, "made")
    yield _surroundings(records)
    yield Paragraph(
        "The page, its tables as report.md, and every number unrounded as report.csv are made from "
        "the result file alone:"
    )
    yield Code(f"dysample report {results.name} -o DIR")
    yield from _sources(found)


def _in_short(family: Family) -> Iterator[str]:
    """What the leading measure of each head allows one to say."""
    for member in family.members:
        title = f"{family.title}, {member.head}" if member.head else family.title
        lead = " ".join(
            statements(member.group, member.rows, member.to_baseline, member.group.main[0])
        )
        yield f"{title}, {span(member.seeds, 'seed')}. {lead}"


def _compared(found: Sequence[Family], records: Sequence[Record]) -> str:
    names = dict.fromkeys(record.upsampler for record in records)
    tasks = dict.fromkeys(TASKS.get(family.task, family.task).lower() for family in found)
    data = dict.fromkeys(str(record.data["name"]) for record in records)
    seeds = [member.seeds for family in found for member in family.members]
    return (
        f"{span([len(records)], 'run')}: the same models trained with "
        f"{span([len(names)], 'upsampler')} for {listed(list(tasks))}, on {listed(list(data))}, "
        f"with {span([count for pair in seeds for count in pair], 'seed')} each. "
        "Runs of one task and seed differ in nothing but the steps that bring features to a "
        "higher resolution."
    )


def _surroundings(records: Sequence[Record]) -> Table:
    rows = [("runs", str(len(records)))]
    names = dict.fromkeys(key for record in records for key in record.versions)
    for name in names:
        values = dict.fromkeys(record.versions.get(name, "unknown") for record in records)
        rows.append((name, ", ".join(values)))
    machines = dict.fromkeys(
        f"{one.machine.cpu}, {one.machine.threads} thread(s) a run" for one in records
    )
    rows.append(("processor", "; ".join(machines)))
    finished = sorted(record.finished for record in records)
    rows.append(("finished", f"{finished[0]} to {finished[-1]}"))
    hours = sum(record.seconds.train for record in records) / 3600
    rows.append(("training time in all", f"{hours:.1f} hours, of single runs added up"))
    return Table("Versions and machine", ("what", "value"), tuple(rows))


def _sources(found: Sequence[Family]) -> Iterator[Block]:
    """Of the published scores on the page."""
    tasks = {family.task for family in found}
    columns = [scores for scores in SCORES if scores.task in tasks]
    if not columns:
        return
    yield Heading("Published scores", 2, "published")
    rows = [
        (f"{scores.measure}, {scores.model}", name, score.printed, score.sources)
        for scores in columns
        for name, score in scores.by_name.items()
    ]
    heads = ("what", "upsampler", "score", "sources")
    yield folded(Table("Scores as printed", heads, tuple(rows)))
    scores = [score for one in columns for score in one.by_name.values()]
    used = {key for score in scores for key in score.sources.split()}
    notes = dict.fromkeys(score.note for score in scores if score.note)
    sources = [f"{key}: {SOURCES[key]}" for key in SOURCES if key in used]
    yield Bullets((*sources, *(f"Note: {NOTES[note]}" for note in notes)))
