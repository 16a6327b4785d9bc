"""HTML and Markdown: the same blocks, with text as text."""

from html.parser import HTMLParser

import pytest

from dysample.workbench.report.page.blocks import (
    MANY_ROWS,
    Bullets,
    Code,
    Folded,
    Heading,
    Paragraph,
    Table,
    folded,
)
from dysample.workbench.report.page.html import to_html
from dysample.workbench.report.page.markdown import to_markdown

NASTY = "<b>|`*_[x] a_b"
BLOCKS = [
    Heading("Title", 1, "top"),
    Paragraph(f"One {NASTY}."),
    Bullets(("first", NASTY)),
    Heading("Part", 2, "part"),
    Code("dysample report a.jsonl"),
    Table(
        "Numbers", ("name", "a\nb"), (("x", "1"), "guided", (NASTY, "2")), (("", 1), ("over", 1))
    ),
]


class Balance(HTMLParser):
    """Every element that is opened is closed, in order."""

    VOID = ("meta", "link", "br", "img")

    def __init__(self):
        super().__init__()
        self.open, self.tags = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_html_is_balanced_and_escaped():
    text = to_html([*BLOCKS, Folded("more", (BLOCKS[-1],))])
    parser = Balance()
    parser.feed(text)
    assert parser.open == []
    assert parser.tags.count("table") == 2
    assert "b" not in parser.tags
    assert text.count("&lt;b&gt;") == 4
    assert '<th scope="colgroup" colspan="1">over</th>' in text
    assert 'colspan="2">guided</th>' in text
    assert 'href="#part"' in text
    assert "http" not in text.replace("http-equiv", "")


def test_markdown_keeps_the_tables_and_escapes():
    text = to_markdown(BLOCKS)
    lines = text.splitlines()
    assert lines[0] == "# Title"
    assert "| name | over a b |" in lines
    assert "| --- | ---: |" in lines
    assert "| guided |  |" in lines
    escaped = r"\<b\>\|\`\*\_\[x\] a_b"
    assert f"| {escaped} | 2 |" in lines
    assert f"- {escaped}" in lines
    assert "```\ndysample report a.jsonl\n```" in text


@pytest.mark.parametrize(("count", "kind"), [(MANY_ROWS, Table), (MANY_ROWS + 1, Folded)])
def test_long_tables_are_shown_on_demand(count, kind):
    assert isinstance(folded(Table("t", ("a",), (("x",),) * count)), kind)
