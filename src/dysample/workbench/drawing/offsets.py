"""Offsets as colours: the direction as hue, the length as saturation."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import hsv_to_rgb
from numpy.typing import NDArray


def direction_colours(offset: NDArray[np.float64], longest: float) -> NDArray[np.float64]:
    """Offsets (2, H, W) as colours (H, W, 3): hue is the direction, saturation the length."""
    x, y = offset
    hue = np.arctan2(y, x) / (2 * np.pi) % 1
    saturation = np.minimum(1, np.hypot(x, y) / longest)
    colours: NDArray[np.float64] = hsv_to_rgb(
        np.stack([hue, saturation, np.full_like(hue, 0.95)], axis=-1)
    )
    return colours


def wheel() -> NDArray[np.float64]:
    """The colours of all directions, as they lie in the image: right is +x, down is +y."""
    y, x = np.mgrid[-1:1:72j, -1:1:72j]
    colours = direction_colours(np.stack([x, y]), 1.0)
    colours[np.hypot(x, y) > 1] = 1
    return colours
