"""`dysample info`."""

import click
from rich.console import Console


@click.command()
def info() -> None:
    """Versions, processor, and whether the fast CPU kernels are there; if not, how to get them."""
    from rich.table import Table

    from dysample.info import system_info

    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column()
    for name, value in system_info().items():
        table.add_row(name, value)
    Console(highlight=False).print(table)
