"""Every registered name says where it comes from, and every cited key can be looked up."""

import re
from pathlib import Path

import pytest

import dysample.nn
import dysample.papers
from dysample.nn import Nearest
from dysample.origins import ORIGINS
from dysample.papers import PAPERS
from dysample.registry import _ENTRIES, get_entry, list_upsamplers, register_upsampler

TEXTBOOK = {"nearest", "bilinear"}
SOURCES = sorted(Path(dysample.nn.__file__).parent.glob("*.py"))
CITATION = re.compile(r"\[([a-z]+\d{4}\w*)\]")


@pytest.mark.parametrize("name", list_upsamplers())
def test_every_name_has_complete_metadata(name: str) -> None:
    origin = get_entry(name).origin
    assert origin is not None
    assert (origin.paper is None) == (name in TEXTBOOK)
    assert origin.code
    assert origin.licence
    assert origin.deviations
    for sentence in origin.deviations:
        assert sentence.endswith(".")
        assert "  " not in sentence


def test_no_metadata_without_its_name() -> None:
    assert set(ORIGINS) == set(list_upsamplers())


@pytest.mark.parametrize("key", PAPERS)
def test_every_paper_is_complete(key: str) -> None:
    paper = PAPERS[key]
    assert paper.key == key
    assert str(paper.year) in key
    assert paper.authors[0].split(",")[0].lower() in key
    assert all(author.count(", ") == 1 for author in paper.authors)
    entry = paper.bibtex
    assert entry.count("{") == entry.count("}")
    for field in ("title", "author", "year"):
        assert f"  {field} = {{" in entry
    assert ("booktitle" in entry) != ("journal" in entry)


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_keys_in_docstrings_are_in_the_bibliography(source: Path) -> None:
    for key in CITATION.findall(source.read_text(encoding="utf-8")):
        assert key in PAPERS


def test_every_class_cites_the_paper_of_its_name() -> None:
    for name in set(list_upsamplers()) - TEXTBOOK:
        entry = get_entry(name)
        cited = CITATION.findall(entry.factory.__doc__ or "")
        if cited:
            assert entry.origin is not None
            assert entry.origin.paper is PAPERS[cited[-1]]
    assert any(CITATION.search(source.read_text(encoding="utf-8")) for source in SOURCES)


def test_the_bibliography_is_read_to_the_end() -> None:
    text = Path(dysample.papers.__file__).with_name("references.bib").read_text(encoding="utf-8")
    assert "\n\n".join(paper.bibtex for paper in PAPERS.values()) + "\n" == text
    fade = PAPERS["lu2024fade"]
    assert fade.title == (
        "FADE: A Task-Agnostic Upsampling Operator for Encoder-Decoder Architectures"
    )
    assert fade.authors == ("Lu, Hao", "Liu, Wenze", "Fu, Hongtao", "Cao, Zhiguo")
    assert (fade.venue, fade.year) == ("International Journal of Computer Vision", 2024)
    assert "Husz{\\'a}r, Ferenc" in PAPERS["shi2016espcn"].authors


def test_your_own_name_brings_its_own_origin_or_none() -> None:
    try:
        register_upsampler("mine", Nearest)
        register_upsampler("cited", Nearest, origin=ORIGINS["carafe"])
        assert get_entry("mine").origin is None
        assert get_entry("cited").origin is ORIGINS["carafe"]
    finally:
        _ENTRIES.pop("mine", None)
        _ENTRIES.pop("cited", None)
