"""The Chinese README says what the English one says: the same code, numbers, links and pictures."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support.documented import ROOT, Block, blocks

ENGLISH, CHINESE = ROOT / "README.md", ROOT / "README.zh-CN.md"


def code(page: Path) -> list[tuple[str, list[str]]]:
    """Kind and lines of every block, without the comments, which are translated."""
    return [(block.kind, lines(block)) for block in blocks(page)]


def lines(block: Block) -> list[str]:
    if block.kind == "text":
        return block.text.splitlines()
    return [re.sub(r" *#.*", "", line) for line in block.text.splitlines()]


def prose(page: Path) -> str:
    return re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def rows(page: Path) -> list[list[list[str]]]:
    """Numbers and pieces of code in each cell of the tables."""
    table = [line for line in prose(page).splitlines() if line.startswith("|")]
    return [[re.findall(r"`[^`]+`|[\d.]+x?", cell) for cell in row.split("|")] for row in table]


def links(page: Path) -> list[str]:
    targets = re.findall(r"\]\(([^)]+)\)", prose(page))
    return sorted(set(targets) - {ENGLISH.name, CHINESE.name})


@pytest.mark.parametrize("same", [code, rows, links])
def test_both_hold_the_same(same) -> None:
    english, chinese = same(ENGLISH), same(CHINESE)
    assert len(english) > 5
    assert chinese == english


def test_sections_correspond() -> None:
    english, chinese = (
        [line.count("#") for line in prose(page).splitlines() if line.startswith("#")]
        for page in (ENGLISH, CHINESE)
    )
    assert chinese == english


def test_commands_and_names_in_sentences_are_the_same() -> None:
    def names(page: Path) -> set[str]:
        return set(re.findall(r"`([^`]+)`", " ".join(prose(page).split())))

    assert names(CHINESE) == names(ENGLISH)


def test_they_lead_to_each_other() -> None:
    assert f"]({CHINESE.name})" in ENGLISH.read_text()
    assert f"]({ENGLISH.name})" in CHINESE.read_text()


def test_it_is_in_chinese() -> None:
    for paragraph in prose(CHINESE).split("\n\n"):
        words = re.sub(r"`[^`]+`|\]\([^)]*\)|[\W\d]", "", paragraph)
        if len(words) > 40 and not paragraph.startswith("|"):
            assert len(re.findall(r"[\u4e00-\u9fff]", words)) > len(words) / 4, paragraph
