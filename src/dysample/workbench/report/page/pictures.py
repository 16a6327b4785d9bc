"""The figures of predictions and sampling, small enough to be part of the page."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from dysample.workbench.report.page.blocks import Picture

WIDTH = 1200
QUALITY = 70
BUDGET = 670_000
"""Characters of all pictures of a page; what does not fit any more is named, and lies beside it."""

TEXTS = {
    "predictions": "The same validation frames predicted with every upsampler. Black pixels are "
    "wrong and at most 2 pixels from a label boundary.",
    "sampling": "Where upsamplers that sample points sampled one frame, and how far that is from "
    "where bilinear upsampling does.",
}
"""Captions, by the first word of the file's name."""


class Embedder:
    """Turns figures into pictures of the page until there are too many of them."""

    def __init__(self) -> None:
        self._left = BUDGET

    def embed(self, figures: Sequence[Path], title: str) -> tuple[list[Picture], list[str]]:
        """
        The pictures that fit, and a sentence on each that does not.

        Args:
            figures: PNG files as `report` names them.
            title: of the runs that they show.
        """
        pictures, sentences = [], []
        for figure in figures:
            picture = _shrunk(figure, title)
            if len(picture.webp) <= self._left:
                self._left -= len(picture.webp)
                pictures.append(picture)
            else:
                sentences.append(f"{picture.caption} In {figure.name}, beside this page.")
        return pictures, sentences


def _shrunk(figure: Path, title: str) -> Picture:
    text = TEXTS[figure.stem.partition("-")[0]]
    with Image.open(figure, formats=("PNG",)) as opened:
        image = opened.convert("RGB")
    image.thumbnail((WIDTH, 16 * WIDTH), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=QUALITY, method=4)
    data = base64.b64encode(buffer.getvalue()).decode()
    return Picture(data, *image.size, f"{title}: {figure.stem}", text)
