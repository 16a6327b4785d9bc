"""Matplotlib drawings as SVG with the page's colours and font, and with tooltips."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import matplotlib
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from dysample.workbench.drawing.palette import CHART, INK, LINE, MUTED, PAPER
from dysample.workbench.drawing.sheet import save_whole

WIDTH = 430
"""Width of a chart in pixels; on a phone of 390 pixels it shrinks to about three quarters."""
PIXELS = 144
"""Resolution of a drawing that is written as PNG: two pixels for each of the drawing."""
TEXT = 12
"""Font size in pixels of names and numbers."""
CHARACTER = 7.2
"""Width in pixels allowed for a character of that size."""

_SVG = "http://www.w3.org/2000/svg"
_LINK = "http://www.w3.org/1999/xlink"
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.size": TEXT,
    "font.family": "DejaVu Sans",
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": LINE,
    "axes.titlecolor": INK,
    "xtick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.color": LINE,
    "ytick.labelcolor": INK,
    "axes.unicode_minus": False,
    "text.parse_math": False,  # a dollar in a name is a dollar
}
"""Style of every chart: functions that draw one use `matplotlib.rc_context(STYLE)`."""


@dataclass(frozen=True)
class Chart:
    """A drawing as SVG, with its alternative text and its caption."""

    svg: str
    alt: str
    caption: str


class Canvas:
    """
    A transparent figure, measured in pixels, with tooltips.

    Args:
        name: unique on the page; keeps the ids inside the drawing apart from those of others.
        height: in pixels.
        width: in pixels.
    """

    def __init__(self, name: str, height: float, width: float = WIDTH) -> None:
        self.name, self.width, self.height = name, width, height
        self.figure = Figure(figsize=(width / 72, height / 72), dpi=72)  # a point is a pixel
        FigureCanvasSVG(self.figure)
        self._tips: dict[str, Sequence[str]] = {}

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """Add axes in a box measured from the top left corner, with a line only at the bottom."""
        box = (
            left / self.width,
            1 - (top + height) / self.height,
            width / self.width,
            height / self.height,
        )
        axes = self.figure.add_axes(box)
        axes.set_facecolor("none")
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(length=3)
        return axes

    def tip(self, artist: Artist, *texts: str) -> None:
        """Set the tooltip of an artist: one text, or one for each of its markers."""
        gid = f"tip{len(self._tips)}"
        artist.set_gid(gid)
        self._tips[gid] = texts

    def chart(self, alt: str, caption: str = "") -> Chart:
        """The finished drawing."""
        raw = io.BytesIO()
        with matplotlib.rc_context({"svg.hashsalt": self.name}):
            self.figure.savefig(
                raw,
                format="svg",
                transparent=True,
                metadata={"Date": None, "Creator": None, "Format": None, "Type": None},
            )
        return Chart(_adapt(raw.getvalue(), self._tips, alt), alt, caption)

    def save(self, path: Path) -> Path:
        """Write the drawing on paper as a PNG, whole or not at all."""
        self.figure.set_facecolor(PAPER)
        self.figure.set_dpi(PIXELS)
        return save_whole(self.figure, path)


def shortened(name: str, most: int) -> str:
    """Shorten a long name, which the tables have in full."""
    return name if len(name) <= most else f"{name[: most - 1]}…"


def _adapt(raw: bytes, tips: Mapping[str, Sequence[str]], alt: str) -> str:
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", _LINK)
    root = ElementTree.fromstring(raw)
    for gid, texts in tips.items():
        _add_tips(root, gid, texts)
    _tidy(root)
    for element in root.iter():
        element.tail = None
        if element.text is not None and not element.text.strip():
            element.text = None
        _adapt_attributes(element)
    root.attrib = {"viewBox": root.attrib["viewBox"], "class": "chart", "role": "img"}
    root.set("aria-label", alt)
    return ElementTree.tostring(root, encoding="unicode")


def _adapt_attributes(element: ElementTree.Element) -> None:
    for key, value in element.attrib.items():
        if key == "style":
            for name, colour in CHART.items():
                value = value.replace(colour, f"var(--{name})")
        elif key != "id":
            # A tenth of a pixel is enough, and half as long.
            value = re.sub(r"\d+\.\d{2,}", lambda match: f"{float(match[0]):.1f}", value)
        element.set(key, " ".join(value.split()))


def _add_tips(root: ElementTree.Element, gid: str, texts: Sequence[str]) -> None:
    (group,) = (element for element in root.iter(f"{{{_SVG}}}g") if element.get("id") == gid)
    markers = list(group.iter(f"{{{_SVG}}}use"))
    targets = markers if len(texts) > 1 or len(markers) == 1 else [group]
    for element, text in zip(targets, texts):
        title = ElementTree.Element(f"{{{_SVG}}}title")
        title.text = text
        element.insert(0, title)


def _tidy(root: ElementTree.Element) -> None:
    """Without ids that nothing refers to, which other drawings have too, and without styles that
    would reach the whole page.
    """
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{{{_SVG}}}metadata", f"{{{_SVG}}}style"):
                parent.remove(child)
    text = ElementTree.tostring(root, encoding="unicode")
    used = set(re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', text))
    known = {name for pair in used for name in pair}
    for element in root.iter():
        if element.get("id") not in known:
            element.attrib.pop("id", None)
