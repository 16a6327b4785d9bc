"""A figure measured in pixels from its top left corner, so that label pixels stay square."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from dysample.files import whole_file

DPI = 100
TEXT = 13
"""Font size in points: still legible when a wide figure is shown at half its size."""
LINE = 22
"""Height of a line of text in pixels."""
CHARACTER = 10
"""Width in pixels allowed for a character."""
MARGIN = 16
HEADER = MARGIN + 2 * LINE + 12
"""Height of the heading with the margin above and below it, in pixels."""


class Page(Figure):
    """A figure that a notebook shows by itself, without pyplot and at its own size."""

    def _repr_png_(self) -> bytes:
        png = io.BytesIO()
        self.savefig(png, format="png", dpi=self.dpi)
        return png.getvalue()


class Sheet:
    """A white figure of `width` x `height` pixels."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.figure = Page(figsize=(width / DPI, height / DPI), dpi=DPI)
        FigureCanvasAgg(self.figure)

    def axes(self, left: int, top: int, width: int, height: int) -> Axes:
        """Axes without ticks in a box given in pixels."""
        bottom = self.height - top - height
        axes = self.figure.add_axes(
            (left / self.width, bottom / self.height, width / self.width, height / self.height)
        )
        axes.set_xticks([])
        axes.set_yticks([])
        return axes

    def image(self, left: int, top: int, pixels: NDArray[np.uint8], size: tuple[int, int]) -> Axes:
        """An image (H, W) or (H, W, 3) in a box of `size` (width, height) pixels, not smoothed."""
        axes = self.axes(left, top, *size)
        axes.imshow(pixels, interpolation="nearest", aspect="equal")
        return axes

    def text(self, left: float, top: float, text: str, **style: object) -> None:
        """Text whose top left corner is given in pixels."""
        # A dollar in a name is a dollar.
        style = {"fontsize": TEXT, "va": "top", "ha": "left", "parse_math": False, **style}
        self.figure.text(left / self.width, 1 - top / self.height, text, **style)  # type: ignore[arg-type]

    def heading(self, title: str, details: str) -> None:
        """Two lines at the top of the figure."""
        self.text(MARGIN, MARGIN, title, weight="bold")
        size = min(TEXT - 2, TEXT * (self.width - 2 * MARGIN) / (CHARACTER * len(details)))
        self.text(MARGIN, MARGIN + LINE, details, fontsize=size, color="0.4")

    def title(self, left: int, top: int, width: int, text: str) -> None:
        """One line of text, made smaller if it would be wider than `width` pixels."""
        size = min(TEXT, TEXT * width / (CHARACTER * len(text)))
        self.text(left, top, text, fontsize=size)

    def patch(self, left: int, top: int, side: int, colour: str | Sequence[float]) -> None:
        """A filled square, for legends."""
        self.figure.add_artist(
            Rectangle(
                (left / self.width, 1 - (top + side) / self.height),
                side / self.width,
                side / self.height,
                facecolor=colour,
                edgecolor="0.4",
                linewidth=0.5,
            )
        )

    def save(self, path: Path) -> Path:
        """Write the PNG whole or not at all."""
        return save_whole(self.figure, path)


def wrap(text: str, width: int) -> list[str]:
    """Lines of a caption that fit into `width` pixels."""
    return textwrap.wrap(text, max(20, width // CHARACTER))


def save_whole(figure: Figure, path: Path) -> Path:
    """Write a PNG that is whole or absent, so that nobody ever reads half of one."""
    png = io.BytesIO()  # a full disk is an error of another kind where PIL meets it
    figure.savefig(png, format="png", dpi=figure.dpi)
    with whole_file(path) as file:
        file.write(png.getbuffer())
    return path
