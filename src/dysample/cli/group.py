"""The `dysample` command, with one subcommand for each verb."""

import click

from dysample import __version__
from dysample.cli.bench import bench
from dysample.cli.compare import compare
from dysample.cli.cost import cost
from dysample.cli.data import data
from dysample.cli.demo import demo
from dysample.cli.evaluate import evaluate
from dysample.cli.export import export
from dysample.cli.info import info
from dysample.cli.report import report
from dysample.cli.show import show
from dysample.cli.sites import sites
from dysample.cli.train import train


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="dysample")
@click.pass_context
def verbs(context: click.Context) -> None:
    """Compare, train, inspect and export feature upsamplers for dense prediction."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


for verb in (compare, train, evaluate, show, demo, sites, export, info, report, data, cost, bench):
    verbs.add_command(verb)
