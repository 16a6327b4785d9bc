"""`dysample show`."""

import re
from pathlib import Path

import click
from rich.console import Console

from dysample.cli.options import FILE, check_folder


@click.command()
@click.argument("image")
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path),
    help="Run of `compare` or `train`: its folder, or a checkpoint in it; or the folder of a"
    " comparison, together with --upsampler.",
)
@click.option(
    "--upsampler",
    "names",
    help="Names or patterns like 'dysample*', separated by commas; one figure each."
    "  [default: all in the checkpoint; 'dysample' without one]",
)
@click.option(
    "--pixel",
    metavar="Y,X",
    help="Row and column in IMAGE.  [default: where nearest and bilinear differ most]",
)
@click.option("--label", type=FILE, help="PNG of class indices, of IMAGE's size.")
@click.option("--site", help="Path of an upsampler in the model.  [default: the finest]")
@click.option("-o", "--output", "file", type=FILE, default=Path("look.png"), show_default=True)
def show(
    image: str,
    checkpoint: Path | None,
    names: str | None,
    pixel: str | None,
    label: Path | None,
    site: str | None,
    file: Path,
) -> None:
    """Draw what an upsampler does to IMAGE, a file or 'scene:NUMBER' for an embedded one.

    The figure shows what one output pixel reads; offsets, gates and index maps; features before and
    after; and errors at label boundaries, if the image has labels.

    Without a checkpoint, a small model is trained briefly on the embedded scenes, once for each
    upsampler.
    """
    place = _pixel(pixel)
    if file.suffix.lower() != ".png":
        raise click.UsageError(f"--output (={file}) must end in .png")
    check_folder("--output", file)
    from dysample.workbench.drawing.sheet import save_whole
    from dysample.workbench.look import show as draw
    from dysample.workbench.look.models import choose_models
    from dysample.workbench.look.picture import load_picture

    load_picture(image)  # fail before any training
    chosen = choose_models(checkpoint, names)
    for name, model in chosen.items():
        figure = draw(
            model, image, pixel=place, label=label, site=site, console=Console(stderr=True)
        )
        path = file if len(chosen) == 1 else file.with_stem(f"{file.stem}-{name}")
        save_whole(figure, path)
        click.echo(f"wrote {path}")


def _pixel(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    found = re.fullmatch(r"(\d+),(\d+)", text)
    if found is None:
        raise click.UsageError(f"--pixel (={text}) must be Y,X: row and column, such as 20,31")
    return int(found[1]), int(found[2])
