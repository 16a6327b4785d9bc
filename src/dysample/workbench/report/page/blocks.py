"""The elements of a page, which the templates render."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dysample.workbench.drawing.canvas import Chart
from dysample.workbench.report.verdict import Verdict


@dataclass(frozen=True)
class Judged:
    """A cell of a table, with the verdict on what it names."""

    text: str
    verdict: Verdict

    def __str__(self) -> str:
        """The text alone."""
        return self.text


Cell = str | Judged


@dataclass(frozen=True)
class Table:
    """
    A table whose first column names the rows.

    Attributes:
        caption: what the numbers are.
        columns: their heads.
        rows: cells, or a text alone that heads the rows below it.
        upright: whether the heads of the numbers are turned, where there are many columns.
        links: where the first cells lead to, an anchor each.
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...] | str, ...]
    upright: bool = False
    links: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Picture:
    """A photograph-like picture: a WebP file in base64."""

    webp: str
    width: int
    height: int
    alt: str
    caption: str


@dataclass(frozen=True)
class Section:
    """A folded section: sentences, then charts side by side, tables and pictures."""

    title: str
    sentences: tuple[str, ...] = ()
    charts: tuple[Chart, ...] = ()
    tables: tuple[Table, ...] = ()
    pictures: tuple[Picture, ...] = ()


@dataclass(frozen=True)
class Told:
    """Sentences on the results, and the command that a conclusion needs; empty if it needs none."""

    sentence: str
    command: str = ""


@dataclass(frozen=True)
class Part:
    """
    One family of runs.

    Attributes:
        title: of the family.
        anchor: unique on the page.
        told: verdicts on the leading measure, one per head.
        charts: the leading measure against bilinear, one per head.
        table: the same in numbers, and what it costs.
        notes: on both.
        sections: everything else, in the order in which a reader asks.
    """

    title: str
    anchor: str
    told: tuple[Told, ...]
    charts: tuple[Chart, ...]
    table: Table
    notes: tuple[str, ...]
    sections: tuple[Section, ...]


@dataclass(frozen=True)
class Page:
    """
    The whole report.

    Attributes:
        title: of the page.
        lead: what was compared.
        summary: a line a group of runs; None for a single family.
        parts: the families.
        sections: on all of them.
    """

    title: str
    lead: str
    summary: Table | None
    parts: tuple[Part, ...]
    sections: tuple[Section, ...]
