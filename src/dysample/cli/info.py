"""`dysample info`."""

import click


@click.command()
def info() -> None:
    """Versions, processor, and whether the fast CPU kernels are there; if not, how to get them."""
    from dysample.info import describe

    click.echo(describe())
