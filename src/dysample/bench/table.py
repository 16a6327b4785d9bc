"""The bench's results as a table."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table


def print_results(results: Sequence[dict[str, Any]], console: Console) -> None:
    """One table a workload: milliseconds and ratio to bilinear, an entry a row."""
    for name in dict.fromkeys(result["workload"] for result in results):
        rows = [result for result in results if result["workload"] == name]
        first = rows[0]
        size = "x".join(map(str, first["shape"]))
        layout = "channels_last" if first["channels_last"] else "contiguous"
        passes = "forward and backward" if first["backward"] else "forward"
        console.print(f"{size} {first['dtype']} {layout}, {passes}", highlight=False)
        table = Table(box=None)
        table.add_column("upsampler")
        table.add_column("ms", justify="right")
        table.add_column("times bilinear", justify="right")
        for row in rows:
            milliseconds, ratio = row["milliseconds"], row["ratio_to_bilinear"]
            table.add_row(row["entry"], f"{milliseconds:.3g}", f"{ratio:.2f}")
        console.print(table)
        console.print()
    console.print(
        f"medians of {results[0]['rounds']} rounds, entries in turn, one thread on one core;"
        f" malloc: {results[0]['malloc']}; torch {results[0]['torch']}",
        highlight=False,
    )
