"""Write the tables that runs of models fill: hosts of surgery into `surgery.md`.

`make tables` runs it, with `tests` in the path: the tests hold the pages against the same runs.
"""

from __future__ import annotations

import re
from pathlib import Path

from host_surgery import support_table

DOCS = Path(__file__).parent


def main() -> None:
    """Write every table into its page."""
    write(DOCS / "surgery.md", "hosts", support_table())


def write(page: Path, name: str, table: str) -> None:
    """Put a table between the marks of its name."""
    text, marks = page.read_text(), (f"<!-- {name}: written by `make tables` -->", "<!-- end -->")
    pattern = re.compile(f"{re.escape(marks[0])}.*?{marks[1]}", re.DOTALL)
    assert pattern.search(text), f"{page}: {marks[0]}"
    page.write_text(pattern.sub(lambda _: f"{marks[0]}\n\n{table}\n\n{marks[1]}", text))


if __name__ == "__main__":
    main()
