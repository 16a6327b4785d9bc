"""Every colour of figures and charts, chosen to be told apart by colour-blind readers too."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.colors import to_rgb
from numpy.typing import NDArray

from dysample.workbench.metrics.boundary import IGNORE

# Paul Tol's "light" scheme without its grey, then a violet and a brown: all of them light, so
# that the dark error mark stands out on every class by brightness alone.
CLASSES = (
    "#77AADD", "#EEDD88", "#99DDFF", "#EE8866", "#44BB99",
    "#FFAABB", "#AAAA00", "#BB99DD", "#BBCC33", "#CCAA88",
)  # fmt: skip
IGNORED = "#808080"
WRONG = "#000000"

# Paul Tol's "bright" scheme: lines and dots, for a seventh and eighth group two more.
GROUPS = ("#EE6677", "#4477AA", "#CCBB44", "#228833", "#AA3377", "#66CCEE", "#EE7733", "#663300")

# Of charts: what matplotlib writes, and page.css holds for light and dark under the name.
CHART: Mapping[str, str] = {
    "paper": "#fefefe",
    "ink": "#1b2127",
    "muted": "#56616b",
    "grid": "#e2e6ea",
    "line": "#b9c1c8",
    "unguided": "#2a6aa6",
    "guided": "#b9540d",
    "literature": "#7a4fa0",
    "reference": "#8a939b",
}
PAPER, INK, MUTED, GRID, LINE = (CHART[key] for key in ("paper", "ink", "muted", "grid", "line"))
UNGUIDED, GUIDED = CHART["unguided"], CHART["guided"]
LITERATURE, REFERENCE = CHART["literature"], CHART["reference"]


def class_colour(index: int) -> tuple[float, float, float]:
    """RGB of a class in 0..1; from the eleventh class on the colours return a little darker."""
    if index == IGNORE:
        return to_rgb(IGNORED)
    rounds, place = divmod(index, len(CLASSES))
    red, green, blue = to_rgb(CLASSES[place])
    shade = max(0.4, 1 - 0.2 * rounds)
    return red * shade, green * shade, blue * shade


def paint(labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Class ids (H, W) as colours (H, W, 3)."""
    table = np.array([class_colour(index) for index in range(256)])
    colours: NDArray[np.uint8] = np.round(table * 255).astype(np.uint8)[labels]
    return colours


def byte_colour(colour: str) -> NDArray[np.uint8]:
    """A named colour as three bytes."""
    return np.round(np.array(to_rgb(colour)) * 255).astype(np.uint8)
