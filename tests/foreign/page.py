"""The tables that these runs write into docs/surgery.md, and how cells say what came of a check."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "surgery.md"


class FailedError(Exception):
    """A check that ran and did not give what it has to."""


def tried(check: Callable[[], str]) -> str:
    """What a check says, or why it failed; all of the reason is printed."""
    try:
        return check()
    except Exception as error:
        message = " ".join(re.sub(r"\x1b\[\d*m", "", str(error)).replace("|", "/").split())
        print(f"  {type(error).__name__}: {message[:600]}", flush=True)
        return f"no: {textwrap.shorten(message or type(error).__name__, 80, placeholder=' ...')}"


def table(name: str) -> str:
    """What stands between the marks of a name."""
    mark = re.escape(f"<!-- {name}: written by `make foreign-hosts` -->\n\n")
    found = re.search(f"(?<={mark}).*?(?=\n\n<!-- end -->)", PAGE.read_text(), re.DOTALL)
    assert found is not None, f"{PAGE}: {mark}"
    return found[0]


def put(name: str, columns: tuple[str, ...], rows: list[str]) -> None:
    """Write a table between the marks of its name."""
    lines = [line(columns), "|---" * len(columns) + "|", *rows]
    PAGE.write_text(PAGE.read_text().replace(table(name), "\n".join(lines)))


def line(cells: tuple[str, ...] | list[str]) -> str:
    return f"| {' | '.join(cells)} |"
