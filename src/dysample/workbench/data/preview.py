"""A sheet of samples with their targets drawn over them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from numpy.typing import NDArray
from torch import Tensor

from dysample.files import whole_file
from dysample.workbench.data.dataset import DataSet
from dysample.workbench.data.targets import VOID
from dysample.workbench.metrics.boundary import IGNORE

COLUMNS = 4
"""Samples of a split, evenly spread over it."""
_INCHES = 4.0
_OPACITY = 0.6


def draw_preview(splits: Sequence[DataSet[Any]], path: Path) -> None:
    """Write a PNG with two rows a split: images, and images under their targets.

    Args:
        splits: the splits of one data set; samples that cannot be used must have been left out.
        path: of the PNG.

    Raises:
        ValueError: a path that does not end in .png, or splits without a sample.
    """
    if path.suffix.lower() != ".png":
        raise ValueError(f"preview {path} must end in .png")
    if not any(map(len, splits)):
        raise ValueError(f"preview {path} must show samples, but none can be used")
    rows, columns = 2 * len(splits), min(COLUMNS, max(map(len, splits)))
    figure = Figure(figsize=(_INCHES * columns, 0.85 * _INCHES * rows), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for row, data in enumerate(splits):
        for column, index in enumerate(_spread(len(data))):
            above, below = grid[2 * row, column], grid[2 * row + 1, column]
            image, target = data[index]
            pixels = image.permute(1, 2, 0).numpy()
            above.imshow(pixels)
            name = "/".join(data.items[index].image.parts[-2:])
            above.set_title(f"{data.split}: {name}", fontsize=9, parse_math=False)
            below.imshow(pixels)
            _DRAW[data.kind](below, data, target)
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as file:
        figure.savefig(file, format="png", dpi=100)


def _spread(count: int) -> list[int]:
    """Indices of the samples that are shown."""
    shown = min(COLUMNS, count)
    return [i * count // shown for i in range(shown)]


def _draw_semantic(axes: Axes, data: DataSet[Any], labels: Tensor) -> None:
    _paint(axes, labels, labels != IGNORE, _class_colours(data))
    _legend(axes, data, labels[labels != IGNORE])


def _draw_panoptic(axes: Axes, data: DataSet[Any], target: Any) -> None:
    """Classes in colour, segments edged in white."""
    segments = target["segments"]
    categories = torch.cat([target["categories"], torch.tensor([IGNORE])])[segments]
    colours = _class_colours(data)
    _paint(axes, categories, segments != VOID, colours)
    edge = torch.zeros_like(segments, dtype=torch.bool)
    edge[1:] |= segments[1:] != segments[:-1]
    edge[:, 1:] |= segments[:, 1:] != segments[:, :-1]
    _paint(axes, torch.zeros_like(segments), edge, np.ones((1, 3)), opacity=1.0)
    _legend(axes, data, target["categories"])


def _draw_objects(axes: Axes, data: DataSet[Any], target: Any) -> None:
    """Boxes with class names, dashed around crowds, and masks if there are any."""
    colours = colormaps["tab10"](np.arange(10))[:, :3]
    for i, (x1, y1, x2, y2) in enumerate(target["boxes"].tolist()):
        colour = colours[i % 10]
        if "masks" in target:
            _paint(axes, target["masks"][i].long() - 1, target["masks"][i].bool(), colour[None])
        # Pixel 0 is drawn from -1/2 to 1/2.
        axes.add_patch(
            Rectangle(
                (x1 - 0.5, y1 - 0.5),
                x2 - x1,
                y2 - y1,
                fill=False,
                edgecolor=colour,
                linestyle="--" if target["iscrowd"][i] else "-",
            )
        )
        name = data.classes.names[int(target["labels"][i]) - 1]
        axes.text(
            x1,
            y1,
            name,
            fontsize=6,
            color="white",
            va="top",
            clip_on=True,
            parse_math=False,
            bbox={"facecolor": colour, "edgecolor": "none", "pad": 1},
        )


def _draw_depth(axes: Axes, data: DataSet[Any], depth: Tensor) -> None:
    """Near is dark; what is unknown shows the image."""
    shown = axes.imshow(np.ma.masked_less_equal(depth.numpy(), 0), cmap="viridis")
    figure = axes.get_figure()
    if figure is not None:
        figure.colorbar(shown, ax=axes, label="m", shrink=0.7)


_DRAW = {
    "semantic": _draw_semantic,
    "detection": _draw_objects,
    "instance": _draw_objects,
    "panoptic": _draw_panoptic,
    "depth": _draw_depth,
}


def _class_colours(data: DataSet[Any]) -> NDArray[np.float64]:
    """(classes, 3) in 0..1: the data set's own, or hues that run through the circle by steps."""
    palette = data.classes.palette
    if palette is not None:
        return np.array(palette) / 255
    places = np.arange(len(data.classes.names)) * 0.618034 % 1  # golden section: no two are near
    colours: NDArray[np.float64] = colormaps["hsv"](places)[:, :3]
    return colours


def _paint(
    axes: Axes,
    labels: Tensor,
    where: Tensor,
    colours: NDArray[np.float64],
    opacity: float = _OPACITY,
) -> None:
    layer = np.zeros((*labels.shape, 4))
    layer[where, :3] = colours[labels[where]]
    layer[where, 3] = opacity
    axes.imshow(layer, interpolation="nearest")


def _legend(axes: Axes, data: DataSet[Any], classes: Tensor) -> None:
    colours = _class_colours(data)
    present = np.unique(classes.numpy())
    handles = [Patch(color=colours[i], label=data.classes.names[i]) for i in present]
    legend = axes.legend(
        handles=handles,
        labels=[str(patch.get_label()) for patch in handles],
        fontsize=6,
        ncols=4,
        loc="upper center",
        bbox_to_anchor=(0.5, 0),
        frameon=False,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)  # a dollar in a name is a dollar
