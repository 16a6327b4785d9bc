"""Colours and patterns: every class has a habit, none has a rule."""

from colorsys import hsv_to_rgb

import numpy as np

from .arrays import Floats
from .classes import BALL, BOX, CYLINDER, FENCE, POLE
from .texture import PATTERNS, Texture

TRUE_TO_CLASS = 0.8
"""Probability that an object wears the hue of its class; otherwise any hue is drawn."""

_HUES = {BOX: 0.01, BALL: 0.33, CYLINDER: 0.57, POLE: 0.13, FENCE: 0.8}
_STUFF_PATTERNS = {
    "floor": ("checks", "tiles", "bricks", "noise", "marble", "stripes"),
    "wall": ("plain", "bricks", "stripes", "checks", "tiles", "noise", "marble"),
    "ceiling": ("plain", "plain", "tiles", "noise"),
}
# Hue, saturation and value of stuff: low, high
_STUFF_COLOURS = {
    "floor": ((0.0, 1.0), (0.15, 0.5), (0.5, 0.85)),
    "wall": ((0.0, 1.0), (0.05, 0.35), (0.7, 0.95)),
    "ceiling": ((0.0, 1.0), (0.0, 0.08), (0.8, 0.95)),
}
# Value of the second colour as a share of that of the first
_STUFF_CONTRASTS = {"floor": (0.55, 0.8), "wall": (0.6, 0.85), "ceiling": (0.75, 0.9)}
_STUFF_PERIODS = {"floor": (0.6, 1.3), "wall": (0.5, 1.1), "ceiling": (0.7, 1.4)}


def stuff(random: np.random.Generator, surface: str) -> Texture:
    """Draw the texture of "floor", "wall" or "ceiling"."""
    hue, saturation, value = (random.uniform(*bounds) for bounds in _STUFF_COLOURS[surface])
    contrast = random.uniform(*_STUFF_CONTRASTS[surface])
    second = (hue + random.uniform(-0.06, 0.06), saturation * 1.2, value * contrast)
    pattern = str(random.choice(_STUFF_PATTERNS[surface]))
    return _texture(random, pattern, (hue, saturation, value), second, _STUFF_PERIODS[surface])


def thing(random: np.random.Generator, class_id: int) -> Texture:
    """Draw the texture of an object; its hue is tied to its class four times out of five."""
    hue = random.uniform()
    if random.random() < TRUE_TO_CLASS:
        hue = _HUES[class_id] + random.normal(0, 0.04)
    saturation, value = random.uniform(0.55, 0.95), random.uniform(0.6, 0.98)
    contrast = random.uniform(0.5, 0.75)
    second = (
        hue + random.uniform(-0.05, 0.05),
        saturation * random.uniform(0.5, 1),
        value * contrast,
    )
    pattern = str(random.choice(PATTERNS))
    return _texture(random, pattern, (hue, saturation, value), second, (0.22, 0.5))


def lamp(random: np.random.Generator) -> Floats:
    """Draw the RGB colour of the lamp, (3,): near white, warm or cool."""
    warmth = random.uniform(-0.07, 0.07)
    strength = random.uniform(0.9, 1.1)
    return np.array([1 + warmth, 1, 1 - warmth], np.float32) * np.float32(strength)


def _texture(
    random: np.random.Generator,
    pattern: str,
    first: tuple[float, float, float],
    second: tuple[float, float, float],
    periods: tuple[float, float],
) -> Texture:
    colours = (hsv_to_rgb(*first), hsv_to_rgb(*second))
    return Texture(pattern, colours, random.uniform(*periods), random.uniform(0, 50))
