"""Print tables of a data set on disk."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dysample.workbench.data.dataset import DataSet
from dysample.workbench.data.images import Size
from dysample.workbench.data.scan import Scan, absent_classes

SHOWN = 10
"""Problems of a split that are printed."""

Scanned = tuple[DataSet[Any], Scan]


def print_overview(scanned: Sequence[Scanned], console: Console) -> None:
    """Splits, classes and problems.

    Args:
        scanned: the splits of one data set, each with its scan.
        console: to print on.
    """
    console.print(_splits(scanned))
    if scanned[0][0].classes.names:
        console.print(_classes(scanned))
    for data, scan in scanned:
        for line in (*data.notes, *absent_classes(data, scan)):
            console.print(Text(line), soft_wrap=True)
        if scan.problems:
            number = f"{len(scan.problems)} of {len(data)} samples"
            console.print(f"{data.split}: {number} cannot be used", highlight=False)
        for message in list(scan.problems.values())[:SHOWN]:
            console.print(Text(f"- {message}"), soft_wrap=True)
        if len(scan.problems) > SHOWN:
            console.print(f"- and {len(scan.problems) - SHOWN} more")


def _splits(scanned: Sequence[Scanned]) -> Table:
    first = scanned[0][0]
    table = Table(title=f"{first.name} ({first.kind})", title_justify="left", title_style="bold")
    table.add_column("split")
    for heading in ("images", "width x height", *_headings(first), "problems"):
        table.add_column(heading, justify="right")
    for data, scan in scanned:
        table.add_row(
            data.split,
            f"{len(data):,}",
            _sizes(list(scan.sizes)),
            *_facts(data, scan),
            f"{len(scan.problems):,}",
        )
    return table


def _headings(data: DataSet[Any]) -> list[str]:
    if data.kind == "depth":
        return ["known", "depth in m"]
    labelled = ["labelled"] if data.kind in ("semantic", "panoptic") else []
    return labelled + ([_objects(data)] if data.kind != "semantic" else [])


def _facts(data: DataSet[Any], scan: Scan) -> list[str]:
    counts = scan.counts
    pixels = sum(height * width * number for (height, width), number in scan.sizes.items())
    labelled = _share(counts.labelled, pixels)
    if data.kind == "depth":
        return [labelled, f"{counts.nearest:.2f}-{counts.farthest:.2f}" if counts.labelled else "-"]
    facts = [labelled] if data.kind in ("semantic", "panoptic") else []
    return facts + ([f"{int(counts.objects.sum()):,}"] if data.kind != "semantic" else [])


def _sizes(sizes: list[Size]) -> str:
    """Return the common size, or the smallest and largest width and height."""
    if not sizes:
        return "-"
    heights, widths = zip(*sizes)
    if len(sizes) == 1:
        return f"{widths[0]}x{heights[0]}"
    return f"{_range(widths)} x {_range(heights)}"


def _range(numbers: tuple[int, ...]) -> str:
    low, high = min(numbers), max(numbers)
    return f"{low}" if low == high else f"{low}-{high}"


def _classes(scanned: Sequence[Scanned]) -> Table:
    first = scanned[0][0]
    pixels = first.kind in ("semantic", "panoptic")
    objects = first.kind != "semantic"
    table = Table(title="classes", title_justify="left", title_style="bold")
    table.add_column("", justify="right")
    table.add_column("class")
    if first.kind == "panoptic":
        table.add_column("")
    for data, _ in scanned:
        if pixels:
            table.add_column(f"{data.split} pixels", justify="right")
        if objects:
            table.add_column(f"{data.split} {_objects(first)}", justify="right")
            table.add_column("share", justify="right")
    for place, name in enumerate(first.classes.names):
        if not any(scan.counts.pixels[place] + scan.counts.objects[place] for _, scan in scanned):
            continue
        row: list[str | Text] = [str(place), Text(name)]
        if first.kind == "panoptic":
            row.append("thing" if place in first.classes.things else "stuff")
        for _, scan in scanned:
            counts = scan.counts
            if pixels:
                row.append(_share(int(counts.pixels[place]), int(counts.pixels.sum())))
            if objects:
                number = int(counts.objects[place])
                row += [f"{number:,}", _share(number, int(counts.objects.sum()))]
        table.add_row(*row)
    return table


def _objects(data: DataSet[Any]) -> str:
    return "segments" if data.kind == "panoptic" else "objects"


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.2f} %" if whole else "-"
