"""The papers cited by key in docstrings: the entries of `references.bib`, which lies beside."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

_ENTRY = re.compile(r"^@\w+\{(\w+),\n.*?^\}$", re.DOTALL | re.MULTILINE)
_FIELD = re.compile(r"^  (\w+) = \{+(.+?)\}+,$", re.MULTILINE)


@dataclass(frozen=True)
class Paper:
    """One entry of the bibliography.

    `key` is what stands in brackets in docstrings, authors are written "Last, First", and `bibtex`
    is the whole entry.
    """

    key: str
    title: str
    authors: tuple[str, ...]
    venue: str
    year: int
    bibtex: str


def _read(path: Path) -> dict[str, Paper]:
    """Read papers by key; only the syntax of that file is known: one field per line, in braces."""
    papers = {}
    for entry in _ENTRY.finditer(path.read_text(encoding="utf-8")):
        key, fields = entry[1], dict(_FIELD.findall(entry[0]))
        venue = fields.get("booktitle") or fields["journal"]
        authors = tuple(fields["author"].split(" and "))
        papers[key] = Paper(key, fields["title"], authors, venue, int(fields["year"]), entry[0])
    return papers


PAPERS: Mapping[str, Paper] = MappingProxyType(_read(Path(__file__).with_name("references.bib")))
"""The papers by key."""
