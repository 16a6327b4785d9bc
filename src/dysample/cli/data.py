"""`dysample data`."""

from pathlib import Path

import click
from rich.console import Console


@click.command()
@click.argument("data", metavar="NAME:PATH")
@click.option(
    "--preview",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a PNG of some samples with their targets drawn over them.",
)
@click.pass_context
def data(context: click.Context, /, data: str, preview: Path | None) -> None:
    """Check every file of a data set on disk, and print what it holds.

    NAME is one of ade20k, binary, camvid, cityscapes, coco_detection, coco_instance, coco_panoptic,
    folders, folders_depth, folders_instance, kitti, nyu, pennfudan, voc; PATH the folder in which
    it was unpacked. The exit code is 1 if there are unusable files; each is named.
    """
    from dysample.workbench.data.catalog import open_splits
    from dysample.workbench.data.overview import print_overview
    from dysample.workbench.data.preview import draw_preview
    from dysample.workbench.data.scan import scan

    progress = Console(stderr=True)
    scanned = [(split, scan(split, progress)) for split in open_splits(data)]
    print_overview(scanned, Console())
    if preview is not None:
        draw_preview([split.without(set(found.problems)) for split, found in scanned], preview)
    if any(found.problems for _, found in scanned):
        context.exit(1)
