"""The generated pages are what signatures, docstrings and metadata say now."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from types import ModuleType

import pytest

import dysample
from dysample import list_upsamplers

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def generate(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(DOCS)
    return importlib.import_module("generate")


def test_committed_pages_are_the_generated_ones(generate: ModuleType) -> None:
    pages = generate.pages()
    for path, text in pages.items():
        name = path.relative_to(DOCS)
        assert path.exists(), f"{name} is missing: run `make pages`"
        assert path.read_text() == text, f"{name} is stale: run `make pages`"
    assert {*(DOCS / "upsamplers").iterdir(), DOCS / "which.md"} == set(pages)


def test_every_name_is_on_exactly_one_page(generate: ModuleType) -> None:
    named = [name for page in generate.PAGES for name in generate.names_on(page)]
    assert sorted(named) == sorted(list_upsamplers())


def test_everything_that_can_be_imported_is_in_the_reference() -> None:
    text = (DOCS / "api.md").read_text()
    for name in set(dysample.__all__) - {"__version__"}:
        assert f"`dysample.{name}`" in text or f"\n::: dysample.{name}\n" in text, name


def test_every_page_holds_all_its_sections(generate: ModuleType) -> None:
    for page in generate.PAGES:
        text = generate.upsampler_page(page)
        titles = ["Formula", "Cost", "When to use it", "Example", "Arguments", "State"]
        titles += ["Deviations from the published code", "Published code and its licence"]
        if page.name not in ("nearest", "bilinear"):  # textbook methods
            titles.append("Paper")
            assert "```bibtex\n@" in text
        found = re.findall(r"^## (.+)$", text, re.MULTILINE)
        assert set(titles) <= set(found), page.name
        assert len(re.findall(r"[.!?](?= |$)", page.idea)) == 3, f"{page.name}: three sentences"


def test_every_picture_exists_and_is_small(generate: ModuleType) -> None:
    for page in generate.PAGES:
        picture = DOCS / "images" / f"{page.name}.png"
        assert picture.exists(), f"run `make pictures` ({page.name})"
        assert picture.stat().st_size < 60_000
