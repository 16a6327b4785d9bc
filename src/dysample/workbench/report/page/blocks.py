"""What a page is made of; `html` and `markdown` write it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Heading:
    """A title; `anchor` is what links lead to, unique on the page. The page's own is level 1."""

    text: str
    level: int
    anchor: str


@dataclass(frozen=True)
class Paragraph:
    """One paragraph of plain text."""

    text: str


@dataclass(frozen=True)
class Bullets:
    """A list of plain sentences."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Code:
    """Commands, a line each."""

    text: str


@dataclass(frozen=True)
class Table:
    """
    A table whose first column names the rows.

    Attributes:
        caption: what the numbers are.
        columns: their heads; a line break in one is kept.
        rows: cells, or a text alone that heads the rows below it.
        over: what stands over several columns, and over how many; empty for nothing.
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...] | str, ...]
    over: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Chart:
    """A drawing as SVG, with its text for those who do not see it and one for all."""

    svg: str
    alt: str
    caption: str


@dataclass(frozen=True)
class Picture:
    """A photograph-like picture as the bytes of a WebP file."""

    webp: bytes
    width: int
    height: int
    alt: str
    caption: str


@dataclass(frozen=True)
class Beside:
    """Charts side by side where there is room, otherwise one below the other."""

    charts: tuple[Chart, ...]


Plain = Heading | Paragraph | Bullets | Code | Table | Chart | Picture | Beside


@dataclass(frozen=True)
class Folded:
    """Blocks that are shown on demand."""

    title: str
    blocks: tuple[Plain, ...]


Block = Plain | Folded

MANY_ROWS = 20


def folded(table: Table) -> Table | Folded:
    """A long table on demand only."""
    return table if len(table.rows) <= MANY_ROWS else Folded(table.caption, (table,))
