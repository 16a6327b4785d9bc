"""Blocks as one HTML file that needs nothing but itself."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from html import escape
from importlib.resources import files

from dysample.workbench.report.page.blocks import (
    Beside,
    Block,
    Bullets,
    Chart,
    Code,
    Folded,
    Heading,
    Paragraph,
    Picture,
    Table,
)

LISTED = 3
"""Headings down to this level are in the list of contents."""

# Nothing may be loaded and nothing run: names from a result file are text, whatever they hold.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def to_html(blocks: Sequence[Block]) -> str:
    """The page; its first block is the heading that names it."""
    first, *rest = blocks
    assert isinstance(first, Heading)
    style = files(__package__).joinpath("page.css").read_text(encoding="utf-8")
    title = escape(first.text)
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            '<link rel="icon" href="data:,">',
            f"<title>{title}</title>",
            f"<style>\n{style}</style>",
            "</head>",
            "<body>",
            '<a class="skip" href="#content">Skip to the content</a>',
            f"<header><h1>{title}</h1></header>",
            *_contents(rest),
            '<main id="content">',
            *(line for block in rest for line in _block(block)),
            "</main>",
            "</body>",
            "</html>",
            "",
        ]
    )


def _contents(blocks: Sequence[Block]) -> Iterator[str]:
    yield '<nav aria-label="Contents"><ul>'
    for block in blocks:
        if isinstance(block, Heading) and block.level <= LISTED:
            link = f'<a href="#{escape(block.anchor)}">{escape(block.text)}</a>'
            yield f'<li class="level{block.level}">{link}</li>'
    yield "</ul></nav>"


def _block(block: Block) -> Iterator[str]:
    match block:
        case Heading(text, level, anchor):
            yield f'<h{level} id="{escape(anchor)}">{escape(text)}</h{level}>'
        case Paragraph(text):
            yield f"<p>{escape(text)}</p>"
        case Bullets(items):
            yield "<ul>"
            yield from (f"<li>{escape(item)}</li>" for item in items)
            yield "</ul>"
        case Code(text):
            yield f"<pre><code>{escape(text)}</code></pre>"
        case Table():
            yield from _table(block)
        case Chart():
            yield _chart(block)
        case Beside(charts):
            yield '<div class="beside">'
            yield from map(_chart, charts)
            yield "</div>"
        case Picture():
            yield _picture(block)
        case Folded(title, inner):
            yield f"<details><summary>{escape(title)}</summary>"
            for one in inner:
                yield from _block(one)
            yield "</details>"


def _table(table: Table) -> Iterator[str]:
    # The frame scrolls, and can be reached by keyboard for that.
    yield f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(table.caption)}">'
    kind = ' class="pairs"' if len(table.columns) == 2 else ""
    yield f"<table{kind}><caption><span>{escape(table.caption)}</span></caption>"
    heads = (escape(head).replace("\n", "<br>") for head in table.columns)
    yield "<thead>"
    if table.over:
        spans = "".join(_over(*one) for one in table.over)
        yield f'<tr class="over">{spans}</tr>'
    cells = "".join(f'<th scope="col">{head}</th>' for head in heads)
    yield f"<tr>{cells}</tr></thead>"
    yield "<tbody>"
    for row in table.rows:
        if isinstance(row, str):
            span = len(table.columns)
            yield "</tbody><tbody>"
            yield f'<tr><th class="part" scope="rowgroup" colspan="{span}">{escape(row)}</th></tr>'
            continue
        name, *numbers = map(escape, row)
        cells = "".join(f"<td>{number}</td>" for number in numbers)
        yield f'<tr><th scope="row">{name}</th>{cells}</tr>'
    yield "</tbody></table></div>"


def _over(text: str, count: int) -> str:
    span = f'<th scope="colgroup" colspan="{count}">{escape(text)}</th>'
    return span if text else "<td></td>" * count


def _chart(chart: Chart) -> str:
    return f"<figure>{chart.svg}{_caption(chart.caption)}</figure>"


def _picture(picture: Picture) -> str:
    data = base64.b64encode(picture.webp).decode()
    image = (
        f'<img src="data:image/webp;base64,{data}" width="{picture.width}" '
        f'height="{picture.height}" alt="{escape(picture.alt)}">'
    )
    frame = f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(picture.alt)}">'
    return f'<figure class="picture">{frame}{image}</div>{_caption(picture.caption)}</figure>'


def _caption(text: str) -> str:
    return f"<figcaption>{escape(text)}</figcaption>" if text else ""
