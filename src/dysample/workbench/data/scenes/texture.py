"""Two-colour surface patterns."""

from dataclasses import dataclass

import numpy as np

from .arrays import Floats

Colour = tuple[float, float, float]

PATTERNS = ("plain", "checks", "stripes", "bands", "bricks", "tiles", "dots", "noise", "marble")

_CELLS = 64
# One row and one column more than the period, so that a neighbour is always the next entry.
_GRAIN = np.pad(
    np.random.default_rng(1).random((_CELLS, _CELLS)).astype(np.float32), (0, 1), mode="wrap"
).ravel()


@dataclass(frozen=True)
class Texture:
    """A pattern of `PATTERNS` in two RGB colours (0 to 1) that repeats every `period` metres.

    `shift` moves the pattern along both surface coordinates, in periods.
    """

    pattern: str
    colours: tuple[Colour, Colour]
    period: float
    shift: float


def paint(texture: Texture, u: Floats, v: Floats, footprint: Floats) -> Floats:
    """Return the colour (3, N) at surface coordinates `u`, `v` (N,) in metres.

    `footprint` (N,) is the width of a pixel on the surface in metres: a pattern finer than the
    pixels fades into its mean instead of breaking into moire.
    """
    u = u / np.float32(texture.period) + np.float32(texture.shift)
    v = v / np.float32(texture.period) + np.float32(texture.shift)
    mix = _mix(texture.pattern, u, v)
    sharpness = np.clip(1.4 - 1.6 * footprint / np.float32(texture.period), 0, 1)
    mean = np.float32(_MEANS[texture.pattern])
    mix = mean + (mix - mean) * sharpness
    # A little grain everywhere: no surface is flat in colour.
    mix += np.float32(0.07) * np.sin(7 * u + 3 * np.sin(5 * v))
    first, second = np.array(texture.colours, np.float32)
    colour: Floats = first[:, None] + (second - first)[:, None] * mix
    return colour


_MEANS = {
    "plain": 0.1,
    "checks": 0.5,
    "stripes": 0.5,
    "bands": 0.5,
    "bricks": 0.2,
    "tiles": 0.15,
    "dots": 0.28,
    "noise": 0.5,
    "marble": 0.5,
}


def _mix(pattern: str, u: Floats, v: Floats) -> Floats:
    """Return how much of the second colour shows, (N,), 0 to 1."""
    if pattern == "plain":
        return np.full_like(u, 0.1)
    if pattern == "checks":
        return (np.floor(2 * u) + np.floor(2 * v)) % 2
    if pattern == "stripes":
        return (u % 1 < 0.5).astype(np.float32)
    if pattern == "bands":
        return (v % 1 < 0.5).astype(np.float32)
    if pattern == "bricks":
        row = np.floor(2 * v)
        return (((2 * v) % 1 < 0.16) | ((u + 0.5 * (row % 2)) % 1 < 0.08)).astype(np.float32)
    if pattern == "tiles":
        return ((u % 1 < 0.08) | (v % 1 < 0.08)).astype(np.float32)
    if pattern == "dots":
        return ((u % 1 - 0.5) ** 2 + (v % 1 - 0.5) ** 2 < 0.09).astype(np.float32)
    if pattern == "noise":
        return np.clip(
            2.2 * (0.65 * _noise(2 * u, 2 * v) + 0.35 * _noise(5 * u, 5 * v)) - 0.6, 0, 1
        )
    return 0.5 + 0.5 * np.sin(6.28 * u + 5 * _noise(1.5 * u, 1.5 * v))


def _noise(u: Floats, v: Floats) -> Floats:
    """Return smooth value noise, (N,), 0 to 1, with features about 1 wide."""
    left, below = np.floor(u), np.floor(v)
    a, b = u - left, v - below
    a, b = a * a * (3 - 2 * a), b * b * (3 - 2 * b)
    column, row = left.astype(np.intp) % _CELLS, below.astype(np.intp) % _CELLS
    here = row * (_CELLS + 1) + column
    above = here + _CELLS + 1
    low: Floats = _GRAIN[here]
    high: Floats = _GRAIN[above]
    low += a * (_GRAIN[here + 1] - low)
    high += a * (_GRAIN[above + 1] - high)
    low += b * (high - low)
    return low
