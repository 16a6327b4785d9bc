"""Blocks as Markdown: the text and the tables, with the charts' captions left out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from dysample.workbench.report.page.blocks import (
    Block,
    Bullets,
    Code,
    Folded,
    Heading,
    Paragraph,
    Table,
)


def to_markdown(blocks: Sequence[Block]) -> str:
    """The page's text, in GitHub's dialect."""
    return "\n\n".join(part for block in blocks for part in _block(block)) + "\n"


def _block(block: Block) -> Iterator[str]:
    match block:
        case Heading(text, level, _):
            yield f"{'#' * level} {_escape(text)}"
        case Paragraph(text):
            yield _escape(text)
        case Bullets(items):
            yield "\n".join(f"- {_escape(item)}" for item in items)
        case Code(text):
            yield f"```\n{text}\n```"
        case Table():
            yield _escape(f"{block.caption}:")
            yield _table(block)
        case Folded(title, inner):
            yield f"**{_escape(title)}**"
            for one in inner:
                yield from _block(one)


def _table(table: Table) -> str:
    over = [text for text, count in table.over for _ in range(count)]
    heads = [" ".join(head.split()) for head in table.columns]
    if over:
        heads = [f"{above} {head}".strip() for above, head in zip(over, heads)]
    lines = [_line(heads), _line(["---", *["---:"] * (len(heads) - 1)], escape=False)]
    for row in table.rows:
        cells = (row, *[""] * (len(heads) - 1)) if isinstance(row, str) else row
        lines.append(_line(cells))
    return "\n".join(lines)


def _line(cells: Sequence[str], escape: bool = True) -> str:
    return f"| {' | '.join(_escape(cell) if escape else cell for cell in cells)} |"


def _escape(text: str) -> str:
    """Text that Markdown leaves as it is; in a table a bar would end the cell."""
    # An underscore within a word is one; at its ends it would begin or end an emphasis.
    return re.sub(r"([\\`*\[\]<>|]|(?<!\w)_|_(?!\w))", r"\\\1", " ".join(text.split()))
