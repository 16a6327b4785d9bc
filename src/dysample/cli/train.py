"""`dysample train`."""

import click
from rich.console import Console


# The options depend on the task and are those of a configuration: jsonargparse reads them.
@click.command(
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def train(arguments: tuple[str, ...]) -> None:
    """Train and evaluate one model from a configuration."""
    from dysample.workbench.config import parse_config

    config, resume = parse_config(arguments)
    from dysample.workbench.train import train as run_training

    run_training(config, resume, Console())
