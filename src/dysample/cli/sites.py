"""`dysample sites`."""

import click

from dysample.cli.options import option


@click.command()
@click.argument("model")
@option("--height", "Height of the image on which it runs.", click.IntRange(1), 256)
@option("--width", "Its width.", click.IntRange(1), 256)
@click.option("--upsampler", help="Also tell where this one could be put.")
@click.option("--trust", is_flag=True, help="Load a file although it can run any code.")
def sites(model: str, height: int, width: int, upsampler: str | None, trust: bool) -> None:
    """Find the steps at which a model upsamples, by running it once on a random image.

    MODEL is package.module:factory, called without arguments and without pretrained weights, or a
    file that torch.save wrote.

    A step is a module, by its path, or a call of F.interpolate, by the path of the module that
    calls and the number of the call. `dysample.replace_upsamplers` replaces those that upsample
    features, or others by their names.
    """
    from dysample.surgery import find_sites, replace_upsamplers
    from dysample.surgery.loading import example_for, load_model
    from dysample.surgery.report import site_table
    from dysample.surgery.running import ModelError

    loaded = load_model(model, trust=trust)
    image = example_for(loaded, height, width)
    try:
        if upsampler is None:
            table = site_table(find_sites(loaded, image))
        else:
            _, plan = replace_upsamplers(loaded, upsampler, example_inputs=image, dry_run=True)
            table = str(plan)
    except ModelError as error:
        raise click.UsageError(
            f"{model} does not run on {height}x{width}: {error.reason}"
        ) from error
    click.echo(table)
