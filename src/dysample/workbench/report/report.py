"""The whole report: the table on the terminal, the page and the figures in a folder."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from dysample.files import whole_files
from dysample.workbench.record import read_records
from dysample.workbench.report.page.page import write_page
from dysample.workbench.report.predictions import draw_predictions
from dysample.workbench.report.rates_chart import save_rates
from dysample.workbench.report.sampling import draw_sampling
from dysample.workbench.report.summary import Group, summarise, unfinished
from dysample.workbench.report.table import print_table

LONGEST = 48
"""Bytes of a name in the name of a file, which is at most 255 long: there may be four of them."""


def write_report(results: Path, output: Path, console: Console) -> list[Path]:
    """Print the table of a result file, and write the page and its figures into a folder.

    The first group of comparable runs gives predictions.png, sampling.png and, if learning rates
    were searched, rates.png; any further ones (another head, another data set) get files named
    after what is different about them. Returns the files written, the page report.html as the last;
    what the result file holds nothing for is left out, and of trials alone only the table is
    printed. If one of the files cannot be written, none is.
    """
    records = read_records(results)
    if not records:
        raise ValueError(f"`{results}`: holds no finished run")
    if output.exists() and not output.is_dir():
        raise ValueError(f"`{output}` must be a folder")
    print_table(records, str(results.parent), console)
    groups, waiting = summarise(records), unfinished(records)
    if not groups:
        return []
    with whole_files(output) as folder:
        written: list[Path] = []
        pictures = []
        for group, suffix in zip(groups, suffixes(groups)):
            drawn = (
                draw_predictions(group, folder / f"predictions{suffix}.png"),
                draw_sampling(group, folder / f"sampling{suffix}.png"),
            )
            pictures.append([figure for figure in drawn if figure is not None])
            written += pictures[-1]
            if (rates := save_rates(group, folder / f"rates{suffix}.png")) is not None:
                written.append(rates)
        written += write_page(groups, pictures, results, folder, waiting)
    written = [output / path.name for path in written]
    for path in written:
        console.print(Text(f"wrote {path}"), soft_wrap=True)
    return written


def suffixes(groups: Sequence[Group]) -> list[str]:
    """Ends of file names: none for the first group, then what differs from it, all different.

    Names in a result file may be of any characters and length; those of files are not.
    """
    first = groups[0]
    names: list[str] = []
    for group in groups:
        parts = [
            _for_file(str(value))
            for value, usual in (
                (group.task, first.task),
                (group.data["name"], first.data["name"]),
                ("-".join(group.variant), "-".join(first.variant)),
                (group.head, first.head),
            )
            if value not in (usual, None, "")
        ]
        name = "".join(f"-{part}" for part in parts)
        number = 2
        while name in names:
            name = "".join(f"-{part}" for part in [*parts, number])
            number += 1
        names.append(name)
    return names


def _for_file(name: str) -> str:
    plain = re.sub(r"[^\w.=]+", "-", name).strip("-")
    return plain.encode()[:LONGEST].decode(errors="ignore")
