"""`dysample sites`."""

import click

from dysample.cli.options import option


@click.command()
@click.argument("model")
@option("--height", "Height of the image on which it runs.", click.IntRange(1), 256)
@option("--width", "Its width.", click.IntRange(1), 256)
@click.option("--upsampler", help="Also show what would be done with this upsampler.")
@click.option("--trust", is_flag=True, help="Load a pickled model although it can run any code.")
def sites(model: str, height: int, width: int, upsampler: str | None, trust: bool) -> None:
    """Find the steps at which a model upsamples, by running it once on a random image.

    MODEL is package.module:factory, called without arguments and without pretrained weights; a file
    in which torch.save wrote a model, or a checkpoint that holds one under "ema" or "model"; or a
    folder of `dysample train`, `dysample compare` or dysample.hub.save_pretrained. It runs in
    float32.

    A step is a module, by its path, or a call of F.interpolate, by the path of the module that
    calls and the number of the call. `dysample.replace_upsamplers` replaces those that upsample
    features, or others by their names.
    """
    from dysample.surgery import find_sites, replace_upsamplers
    from dysample.surgery.report import site_table
    from dysample.surgery.running import ModelError
    from dysample.workbench.resolver import image_for, resolve_model

    loaded = resolve_model(model, trust=trust, pretrained=False).float()
    image = image_for(loaded, height, width)
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
