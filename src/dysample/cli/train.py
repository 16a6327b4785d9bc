"""`dysample train`."""

from typing import Any

import click
from rich.console import Console

from dysample.cli.options import OrNull, given, hyphenated, option, settings_options
from dysample.workbench.settings import CONFIGS
from dysample.workbench.training_options import TrainingOptions

USUAL = TrainingOptions()

HELP = f"""Train and evaluate one model from a configuration.

NAME is a configuration that comes with the package: {", ".join(CONFIGS)}. Files override
NAME, later files override earlier ones, and options override files. Options that are not given have
the default values for the task and the data.
"""


@click.command(help=HELP, context_settings={"token_normalize_func": hyphenated})
@click.argument("name", required=False)
@click.option("--config", multiple=True, metavar="FILE", help="YAML file with these options.")
@click.option("--task", help="semantic, detection, instance, panoptic or depth.")
@click.option("--data", help="'scenes' (embedded), or NAME:PATH: see `data`.  [default: scenes]")
@click.option(
    "--upsampler", help="Name, or name with options: 'dysample(groups=8)'.  [default: dysample]"
)
@click.option(
    "--seed", type=int, help="Seed of the initial values and the data order.  [default: 0]"
)
@settings_options(null=True)
@click.option(
    "--validate-every",
    type=OrNull(int),
    help="Steps between evaluations; 'null' for one at the end only.  [default: null]",
)
@option("--checkpoint-every", "Steps between checkpoints.", int, USUAL.checkpoint_every)
@option("--accumulate", "Gradient accumulation steps in each batch.", int, USUAL.accumulate)
@option("--precision", "'32-true' or 'bf16-mixed'.", str, USUAL.precision)
@option("--accelerator", "'auto' for CUDA if there is any; 'cpu' or 'cuda'.", str, "auto")
@option("--devices", "Processes on each node.", int, USUAL.devices)
@option("--num-nodes", "Machines; start the same command on each.", int, USUAL.num_nodes)
@option("--loader-workers", "Processes that read and augment batches.", int, USUAL.loader_workers)
@click.option(
    "--output",
    metavar="FOLDER",
    help="Folder for checkpoints, logs, config.yaml and results.jsonl.  [default: runs/NAME]",
)
@click.option("--resume", is_flag=True, help="Resume the run in the output folder.")
@click.option("--print-config", is_flag=True, help="Print the whole configuration and exit.")
@click.pass_context
def train(
    context: click.Context,
    /,
    name: str | None,
    config: tuple[str, ...],
    resume: bool,
    print_config: bool,
    **options: Any,
) -> None:
    """Train and evaluate one model from a configuration."""
    from dysample.workbench.training.config import configure, to_yaml

    options = {key: value for key, value in options.items() if given(context, key)}
    spec, folder = configure(name, config, options, resume)
    if print_config:
        click.echo(to_yaml(spec, folder), nl=False)
        return
    from dysample.workbench.training.train import train as run_training

    run_training(spec, folder, resume, Console())
