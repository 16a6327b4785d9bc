"""The whole page: what was compared, what it allows one to say, then family by family."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from dysample.files import whole_file
from dysample.workbench.record import Record
from dysample.workbench.report.page.blocks import Page, Section, Table
from dysample.workbench.report.page.compared import TASKS, Family, compare
from dysample.workbench.report.page.csv_table import to_csv
from dysample.workbench.report.page.pictures import Embedder
from dysample.workbench.report.page.reading import reading
from dysample.workbench.report.page.sections import make_part
from dysample.workbench.report.page.tables import rate_table, summary_table
from dysample.workbench.report.published import NOISE, NOTES, SCORES, SOURCES
from dysample.workbench.report.rates import RATES, rate_notes, rate_sentences
from dysample.workbench.report.rates_chart import rates_title
from dysample.workbench.report.summary import Group
from dysample.workbench.report.verdict import MORE
from dysample.workbench.report.wording import listed, span

TITLE = "Upsamplers compared"

DIRECTIONS = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)], "\ufffd")
"""Marks in a name that would turn the sentence around it."""


def write_page(
    groups: Sequence[Group],
    pictures: Sequence[Sequence[Path]],
    results: Path,
    output: Path,
    waiting: Sequence[Group] = (),
) -> list[Path]:
    """
    Write report.html, and the same text and tables as report.md and report.csv.

    Args:
        groups: of all runs.
        pictures: for each group the figures that show its frames.
        results: the file that they were read from.
        output: an existing folder.
        waiting: searches for learning rates of which no other run is in the file.
    """
    found = compare(groups, pictures)
    page = make_page(found, results, waiting)
    written = []
    for name, text in (
        ("report.csv", to_csv(found, waiting)),
        ("report.md", render("report.md.j2", page)),
        ("report.html", render("report.html.j2", page)),
    ):
        with whole_file(output / name) as file:
            file.write(text.encode())
        written.append(output / name)
    return written


def make_page(families: Sequence[Family], results: Path, waiting: Sequence[Group] = ()) -> Page:
    """All that is on the page."""
    records = [
        record
        for family in families
        for member in family.members
        for row in member.group.rows
        for record in row.records
    ]
    groups = [*(member.group for family in families for member in family.members), *waiting]
    trials = [record for group in groups for one in group.searches for record in one.trials]
    embedder = Embedder()
    sections = [
        *_waiting(waiting),
        Section("How to read the differences", tuple(reading(families))),
        Section(
            "Versions and machine",
            (
                f"Made from the result file alone by: dysample report {results.name} -o DIR. "
                "Beside it: the tables as report.md, every number unrounded as report.csv.",
            ),
            tables=(_surroundings(records, trials),),
        ),
        *_published({family.task for family in families}),
    ]
    return Page(
        TITLE,
        _lead(families, records, trials),
        summary_table(families) if len(families) > 1 else None,
        tuple(make_part(family, embedder) for family in families),
        tuple(sections),
    )


def render(template: str, page: Page) -> str:
    """A page by one of the package's templates."""
    environment = Environment(
        loader=PackageLoader(__package__),
        autoescape=template.endswith(".html.j2"),  # Markdown is escaped by `plain`
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters["plain"] = _plain
    text = environment.get_template(template).render(page=page, more=MORE)
    return re.sub(r"\n{3,}", "\n\n", text.strip()).translate(DIRECTIONS) + "\n"


def _plain(value: object) -> str:
    """Escape a text for Markdown; in a table a bar would end the cell."""
    # Markdown reads an underscore at either end of a word as emphasis, but not one inside a word.
    return re.sub(r"([\\`*\[\]<>|]|(?<!\w)_|_(?!\w))", r"\\\1", " ".join(str(value).split()))


def _waiting(groups: Sequence[Group]) -> Iterator[Section]:
    """A section on searches of which no run at a chosen rate is in the file."""
    if groups:
        sentences = dict.fromkeys(text for group in groups for text in rate_sentences(group))
        notes = dict.fromkeys(
            f"{group.title}: {note}" for group in groups for note in rate_notes(group)
        )
        tables = [rate_table(group, f"{group.title}: {rates_title(group)}") for group in groups]
        yield Section(f"{RATES}: trials alone", (*sentences, *notes), (), tuple(tables))


def _lead(families: Sequence[Family], records: Sequence[Record], trials: Sequence[Record]) -> str:
    names = dict.fromkeys(record.upsampler for record in records)
    tasks = dict.fromkeys(TASKS.get(family.task, family.task).lower() for family in families)
    data = dict.fromkeys(str(record.data["name"]) for record in records)
    seeds = [member.seeds for family in families for member in family.members]
    tuned = any(member.group.tuned for family in families for member in family.members)
    rates = ", and tuned ones in the learning rate chosen for it" if tuned else ""
    chose = f" and {span([len(trials)], 'trial')} of learning rates" if trials else ""
    return (
        f"{span([len(records)], 'run')}{chose}: the same models trained with "
        f"{span([len(names)], 'upsampler')} for {listed(list(tasks))}, on {listed(list(data))}, "
        f"with {span([count for pair in seeds for count in pair], 'seed')} each. Runs of one task "
        f"and seed differ in the upsampler alone{rates}."
    )


def _surroundings(runs: Sequence[Record], trials: Sequence[Record]) -> Table:
    records = [*runs, *trials]
    rows = [("runs", str(len(runs)))]
    if trials:
        rows.append(("trials of learning rates", str(len(trials))))
    names = dict.fromkeys(key for record in records for key in record.versions)
    for name in names:
        values = dict.fromkeys(record.versions.get(name, "unknown") for record in records)
        rows.append((name, ", ".join(values)))
    machines = dict.fromkeys(
        f"{one.machine.cpu}, {span([one.machine.threads], 'thread')} per run" for one in records
    )
    rows.append(("processor", "; ".join(machines)))
    finished = sorted(record.finished for record in records)
    rows.append(("finished", f"{finished[0]} to {finished[-1]}"))
    hours = sum(record.seconds.train for record in records) / 3600
    of = "runs and trials" if trials else "runs"
    rows.append(("training time", f"{hours:.1f} hours, the sum over {of}"))
    return Table("Where the runs were made", ("what", "value"), tuple(rows))


def _published(tasks: set[str]) -> Iterator[Section]:
    """The literature's scores for some tasks, with their sources."""
    columns = [scores for scores in SCORES if scores.task in tasks]
    if not columns:
        return
    tables = [
        Table(
            f"{scores.measure} as printed, {scores.model}",
            ("upsampler", "score", "sources"),
            tuple((name, one.printed, one.sources) for name, one in scores.by_name.items()),
        )
        for scores in columns
    ]
    scores = [score for one in columns for score in one.by_name.values()]
    used = {key for score in scores for key in score.sources.split()}
    notes = dict.fromkeys(score.note for score in scores if score.note)
    yield Section(
        "Published scores",
        (
            *(f"{key}: {SOURCES[key]}" for key in SOURCES if key in used),
            *(f"Note: {NOTES[note]}" for note in notes),
            *([NOISE] if "semantic" in tasks else []),
        ),
        tables=tuple(tables),
    )
