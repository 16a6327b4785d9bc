"""`dysample export`."""

from pathlib import Path

import click
from rich.console import Console

from dysample.cli.options import FILE, option


@click.command()
@click.argument("model", metavar="MODEL")
@click.option(
    "--input",
    "inputs",
    multiple=True,
    metavar="BxCxHxW",
    help="Shape of an input; repeat for each.  [default for upsamplers: 2x64x16x24, its guide twice"
    " as large]",
)
@option("--output", "File to write.", FILE, Path("model.onnx"))
@option("--opset", "Version of ONNX's operators, from 11 on.", int, 18)
@option("--sampler", "'grid_sample', 'gather', or 'auto'.", str, "auto")
@option("--dynamic", "Axes whose length may vary, or 'none'.", str, "batch,height,width")
@click.option("--input-name", multiple=True, help="Name of an input in the file; repeat for each.")
@click.option(
    "--output-name", multiple=True, help="Name of an output in the file; repeat for each."
)
@click.option("--half", is_flag=True, help="Export in float16.")
@click.option(
    "--rtol",
    type=float,
    help="Largest accepted error, relative to the largest value of an output.  [default: 1e-4, for"
    " float16 2e-2]",
)
@click.option("--no-verify", is_flag=True, help="Do not compare the graph with the model.")
@click.option(
    "--trust", is_flag=True, help="Load a pickled model, although a pickle can run any code."
)
def export(
    model: str,
    inputs: tuple[str, ...],
    output: Path,
    opset: int,
    sampler: str,
    dynamic: str,
    input_name: tuple[str, ...],
    output_name: tuple[str, ...],
    half: bool,
    rtol: float | None,
    no_verify: bool,
    trust: bool,
) -> None:
    """Write MODEL as an ONNX file, if it gives the same numbers in onnxruntime.

    MODEL is the name of an upsampler; a folder written by `dysample train`, by a run of `dysample
    compare` or by dysample.hub.save_pretrained; package.module:factory, a function that takes no
    arguments; or a file written by torch.save that holds a model, or a checkpoint with a model
    under "ema" or "model".

    Before the file is written, the graph is compared with the model at two other sizes, in
    onnxruntime and, if installed, in OpenVINO. If outputs differ, no file is written.
    """
    from rich.table import Table

    from dysample.cli.target import find_model
    from dysample.export import ExportError, export_onnx

    module, args = find_model(model, inputs, half, trust=trust)
    axes = () if dynamic == "none" else tuple(name.strip() for name in dynamic.split(","))
    try:
        done = export_onnx(
            module,
            args,
            output,
            opset=opset,
            sampler=sampler,
            dynamic=axes,
            input_names=input_name or None,
            output_names=output_name or None,
            verify=not no_verify,
            rtol=rtol,
        )
    except ExportError as error:
        raise click.ClickException(str(error)) from error
    table = Table("runtime", "inputs", "error", box=None, pad_edge=False)
    for run in done.comparisons:
        shapes = " ".join("x".join(map(str, shape)) for shape in run.sizes)
        table.add_row(run.runtime, shapes, f"{run.error:.1e}")
    if done.comparisons:
        Console(highlight=False).print(table)
    click.echo(f"wrote {done.path}: opset {done.opset}, {done.sampler}")
