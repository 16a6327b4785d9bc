"""Write the tables that runs of models fill: hosts into `surgery.md`, files into `export.md`.

`make tables` runs it, with `tests` in the path: the tests hold the pages against the same runs.
The exports take half an hour; with a name, `hosts` or `exports`, it writes that table alone.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from exports import export_table
from host_surgery import support_table

DOCS = Path(__file__).parent
TABLES = {
    "hosts": (DOCS / "surgery.md", support_table),
    "exports": (DOCS / "export.md", export_table),
}


def main() -> None:
    """Write each table into its page."""
    for name in sys.argv[1:] or TABLES:
        page, table = TABLES[name]
        write(page, name, table())


def write(page: Path, name: str, table: str) -> None:
    """Put a table between the marks of its name."""
    text, marks = page.read_text(), (f"<!-- {name}: written by `make tables` -->", "<!-- end -->")
    pattern = re.compile(f"{re.escape(marks[0])}.*?{marks[1]}", re.DOTALL)
    assert pattern.search(text), f"{page}: {marks[0]}"
    page.write_text(pattern.sub(lambda _: f"{marks[0]}\n\n{table}\n\n{marks[1]}", text))


if __name__ == "__main__":
    main()
