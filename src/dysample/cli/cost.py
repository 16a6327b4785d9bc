"""`dysample cost`."""

import os

import click
from rich.console import Console

from dysample.cli.options import given, option


@click.command()
@click.argument("name", required=False)
@option("--in-channels", "Channels of the input.", click.IntRange(1), 256)
@option("--height", "Its height in pixels.", click.IntRange(1), 120)
@option("--width", "Its width in pixels.", click.IntRange(1), 120)
@option("--scale-factor", "Output size over input size.", float, 2.0)
@click.option(
    "--guide-channels",
    type=click.IntRange(1),
    help="Channels of the guide, of guided upsamplers.  [default: those of the input]",
)
@click.option("--published", is_flag=True, help="The costs that the papers print, beside ours.")
@click.pass_context
def cost(
    context: click.Context,
    /,
    name: str | None,
    in_channels: int,
    height: int,
    width: int,
    scale_factor: float,
    guide_channels: int | None,
    published: bool,
) -> None:
    """Parameters, multiply-adds (MACs) and memory of upsampler NAME, or of all of them.

    One image, float32, plain PyTorch operations, no gradients. By default the workload on which
    the DySample paper compares latencies.

    "formula" is the upsampler's own count, as in the papers. "counted" is what a forward pass does:
    convolutions and matrix products by torch's flop counter, and three operations that it ignores:
    products of two tensors (1 an element), blends (2 an element) and bilinear samples (4 an
    element). Sums, softmax and other functions, normalisation, pooling and copies are not counted.

    "peak" is the peak memory of torch's allocator during the pass, with the output but without
    input and parameters.
    """
    # The memory profiler would write its log to stderr.
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")
    from dysample.registry import get_entry, list_upsamplers
    from dysample.workbench.costs.count import measure_cost, measure_costs
    from dysample.workbench.costs.tables import print_costs, print_published

    console = Console()
    if published:
        for parameter in context.params:
            if parameter != "published" and given(context, parameter):
                raise click.UsageError(
                    f"--published compares at the papers' sizes: leave {parameter} out"
                )
        print_published(console)
        return
    sizes = (in_channels, height, width, scale_factor)
    if name is None:
        with Console(stderr=True).status("measuring every upsampler"):
            costs, refused = measure_costs(list_upsamplers(), *sizes, guide_channels)
        if not costs:
            raise click.UsageError(next(iter(refused.values())))
    else:
        options = {} if guide_channels is None else {"guide_channels": guide_channels}
        if options and not get_entry(name).guided:
            raise click.UsageError(f"--guide-channels: {name} reads no guide")
        costs, refused = [measure_cost(name, *sizes, **options)], {}
    title = f"{in_channels} channels, {height}x{width}, scale factor {scale_factor:g}"
    print_costs(costs, refused, title, console)
