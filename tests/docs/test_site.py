"""The site builds without a warning, needs no network, and its links lead somewhere."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from inspect import isfunction
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from dysample import functional
from support.documented import ROOT


class Seen(HTMLParser):
    """What a page refers to, its anchors, and the text of its paragraphs."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.loaded: set[str] = set()
        self.anchors: set[str] = set()
        self.paragraphs: list[str] = []
        self.inside = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value for name, value in attrs if value}
        if "id" in found:
            self.anchors.add(found["id"])
        if tag == "a" and "href" in found:
            self.links.add(found["href"])
        elif tag in ("img", "script", "link", "iframe", "source"):
            self.loaded |= {found[name] for name in ("src", "href") if name in found}
        self.inside = tag == "p" or (self.inside and tag in ("a", "code", "em", "strong"))
        if tag == "p":
            self.paragraphs.append("")

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside and tag != "p"

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.paragraphs[-1] += data


@pytest.fixture(scope="module")
def seen(site: Path) -> dict[Path, Seen]:
    return {
        path: Seen(path.read_text(encoding="utf-8"))
        for path in site.rglob("*.html")
        if path.name != "404.html"  # refers to the place where the site will be
    }


def test_every_page_is_there(site: Path, seen: dict[Path, Seen]) -> None:
    names = {path.relative_to(site).with_suffix("").as_posix() for path in seen}
    docs = ROOT / "docs"
    for page in docs.rglob("*.md"):
        assert page.relative_to(docs).with_suffix("").as_posix() in names
    for notebook in (ROOT / "notebooks").glob("*.ipynb"):
        assert f"notebooks/{notebook.stem}" in names
    assert {"index", "README.zh-CN", "CONTRIBUTING", "CHANGELOG", "examples/index"} <= names


def test_links_and_anchors(site: Path, seen: dict[Path, Seen]) -> None:
    checked = 0
    for path, page in seen.items():
        for link in page.links | page.loaded:
            parts = urlsplit(link)
            if parts.scheme or link.startswith("//"):
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert target.is_file(), f"{path.relative_to(site)}: {link}"
            if parts.fragment and target in seen:
                anchors = seen[target].anchors
                assert unquote(parts.fragment) in anchors, f"{path.relative_to(site)}: {link}"
            checked += 1
    assert checked > 1000


def test_the_reference_holds_every_function(site: Path, seen: dict[Path, Seen]) -> None:
    shown = {n for n, value in vars(functional).items() if isfunction(value) and n[0] != "_"}
    shown = {name for name in shown if getattr(functional, name).__module__ == functional.__name__}
    assert len(shown) > 5
    found = {anchor.rpartition(".") for anchor in seen[site / "api.html"].anchors}
    assert {name for module, _, name in found if module == functional.__name__} == shown


def test_nothing_is_fetched_from_elsewhere(site: Path, seen: dict[Path, Seen]) -> None:
    for path, page in seen.items():
        for link in page.loaded:
            assert not re.match(r"(https?:)?//", link), f"{path.relative_to(site)}: {link}"
    for style in site.rglob("*.css"):
        assert not re.search(r"(url\(|@import) *[\"']?(https?:)?//", style.read_text())


def test_lists_are_lists(seen: dict[Path, Seen]) -> None:
    # On GitHub a list may follow a line of text at once; here it needs a blank line.
    for path, page in seen.items():
        for paragraph in page.paragraphs:
            assert not re.search(r"\n([-*]|\d+\.) ", paragraph), f"{path.name}: {paragraph}"


def test_search_finds_both_languages(site: Path) -> None:
    index = json.loads((site / "search" / "search_index.json").read_text())
    texts = {entry["location"]: entry["title"] + entry["text"] for entry in index["docs"]}
    assert any("reassemble" in text for place, text in texts.items() if "api" in place)
    assert any("上采样" in text for place, text in texts.items() if "zh-CN" in place)
    split = re.compile(index["config"]["separator"])
    assert [word for word in split.split("特征上采样 carafe") if word] == [*"特征上采样", "carafe"]
