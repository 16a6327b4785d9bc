"""The figures of predictions and sampling, small enough to be part of the page."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image

from dysample.workbench.report.page.blocks import Paragraph, Picture

WIDTH = 1200
QUALITY = 70
BUDGET = 500_000
"""Bytes of all pictures of a page; what does not fit any more is named, and stands beside it."""

TEXTS = {
    "predictions": "The same validation frames predicted with every upsampler. Black pixels are "
    "wrong and at most 2 pixels from a label boundary.",
    "sampling": "Where upsamplers that sample points sampled one frame, and how far that is from "
    "where bilinear upsampling does.",
}
"""By the first word of the file's name."""


class Embedder:
    """Turns figures into pictures of the page until there are too many of them."""

    def __init__(self) -> None:
        self._left = BUDGET

    def blocks(self, figures: Sequence[Path], title: str) -> Iterator[Picture | Paragraph]:
        """
        Args:
            figures: PNG files as `report` names them.
            title: of the runs that they show.
        """
        for figure in figures:
            picture = _shrunk(figure, title)
            if len(picture.webp) <= self._left:
                self._left -= len(picture.webp)
                yield picture
            else:
                yield Paragraph(f"{picture.caption} In {figure.name}, beside this page.")


def _shrunk(figure: Path, title: str) -> Picture:
    text = TEXTS[figure.stem.partition("-")[0]]
    with Image.open(figure, formats=("PNG",)) as opened:
        image = opened.convert("RGB")
    image.thumbnail((WIDTH, 16 * WIDTH), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=QUALITY, method=4)
    return Picture(buffer.getvalue(), *image.size, f"{title}: {figure.stem}", text)
