"""`dysample info`."""

import click


@click.command()
def info() -> None:
    """Print versions, processor, and whether the fast CPU kernels are installed."""
    from dysample.info import describe

    click.echo(describe())
