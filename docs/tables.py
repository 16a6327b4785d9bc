"""Write the tables that runs of models fill: hosts into `surgery.md`, files into the export pages.

`make tables` runs it, with `tests` in the path: the tests hold the pages against the same runs. The
exports take half an hour; `hosts`, `opsets`, `ncnn`, `budget`, or names of exported models, as
arguments write those alone. The table of ncnn stays as it is where ncnn and pnnx are not installed:
no extra holds them; so does the budget of Triton's kernels where nothing compiles them.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from support import ahead
from support.budget import budget_table
from support.exports import CASES, export_table, opset_table
from support.host_surgery import support_table
from support.ncnn_files import MODELS, ncnn_table

DOCS = Path(__file__).parent


def main() -> None:
    """Write each table into its page."""
    ncnn = ["ncnn"] if all(map(find_spec, ("ncnn", "pnnx"))) else []
    budget = [] if ahead.missing() else ["budget"]
    chosen = sys.argv[1:] or ["hosts", "opsets", *ncnn, *budget, *CASES]
    if "hosts" in chosen:
        write(DOCS / "surgery.md", "hosts", lambda _: support_table())
    if "opsets" in chosen:
        write(DOCS / "export.md", "opsets", opset_table)
    if "ncnn" in chosen:
        write(DOCS / "export" / "ncnn_rknn.md", "ncnn", partial(ncnn_table, MODELS))
    if "budget" in chosen:
        write(DOCS / "kernels.md", "budget", budget_table)
    names = [name for name in chosen if name in CASES]
    if names:
        write(DOCS / "export.md", "exports", partial(export_table, names))


def write(page: Path, name: str, table: Callable[[str], str]) -> None:
    """Put what is made of the table between the marks of its name in its place."""
    mark, end = f"<!-- {name}: written by `make tables` -->\n\n", "<!-- end -->"
    found = re.search(f"(?<={re.escape(mark)}).*?(?={end})", page.read_text(), re.DOTALL)
    assert found is not None, f"{page}: {mark}"
    new = table(found[0])
    page.write_text(page.read_text().replace(mark + found[0], f"{mark}{new}\n\n"))


if __name__ == "__main__":
    main()
