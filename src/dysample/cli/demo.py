"""`dysample demo`."""

import threading
from importlib.util import find_spec
from pathlib import Path

import click
from rich.console import Console

from dysample.cli.options import option


@click.command()
@click.argument(
    "folder", required=False, type=click.Path(path_type=Path, exists=True, file_okay=False)
)
@click.option(
    "--upsampler",
    "names",
    help="Without FOLDER: names or patterns, separated by commas, of which small models are"
    " trained.  [default: dysample,carafe]",
)
@option(
    "--host",
    "Address to listen at; the default is reachable from this machine only.",
    str,
    "127.0.0.1",
)
@click.option(
    "--port", type=click.IntRange(1, 65535), help="Port to listen at.  [default: 7860 or the next]"
)
def demo(folder: Path | None, names: str | None, host: str, port: int | None) -> None:
    """Serve what `show` draws as a local web page: choose an image and a model, click a pixel.

    FOLDER is the output of a comparison, such as runs/demo; the page offers its runs. Without it,
    small models are trained briefly on the embedded scenes, once. The page makes no network
    requests.
    """
    if find_spec("gradio") is None:
        raise click.UsageError("no module gradio: pip install 'dysample[demo]'")
    from dysample.workbench.look.models import models_of_page

    models = models_of_page(folder, names, Console(stderr=True))
    from dysample.workbench.look.page import serve  # which takes seconds

    with serve(models, host, port) as address:
        click.echo(f"{len(models)} models at {address}; Ctrl-C ends it")
        threading.Event().wait()
