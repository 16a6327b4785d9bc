"""One frame: from (seed, index) to image, depth and labels."""

from dataclasses import dataclass

import numpy as np

from dysample.numeric import check_int

from .arrays import Bools, Bytes, Floats
from .classes import CEILING, FLOOR, WALL
from .layout import Scene, compose
from .shade import Hits, cast, shade

VERSION = 1
"""Raised whenever the same (seed, index) gives other pixels than before."""

SMALLEST = 8
"""Fewest pixels a side."""

NOISE = 0.012
"""Standard deviation of the image noise, of a range of 1."""


@dataclass(frozen=True)
class Frame:
    """One rendered frame of H x W pixels.

    `image` (H, W, 3) uint8, RGB; `depth` (H, W) float32, metres along the optical axis (not along
    the ray); `semantic` (H, W) uint8, positions in `CLASSES`; `instance` (H, W) uint8, 0 for floor,
    wall and ceiling, 1, 2, ... for the visible objects, without gaps.
    """

    image: Bytes
    depth: Floats
    semantic: Bytes
    instance: Bytes


def render_frame(seed: int, index: int, size: int | tuple[int, int] = 64) -> Frame:
    """Render frame `index` of the data set `seed`.

    `size` is the side of a square image in pixels, or (height, width), at least 8. The same
    (seed, index) shows the same scene at every size. Raises TypeError for what is not an integer
    and ValueError for a negative seed or index or for too small a size.
    """
    seed, index = check_int("seed", seed, 0), check_int("index", index, 0)
    sides = size if isinstance(size, tuple) else (size, size)
    if len(sides) != 2:
        raise ValueError(f"`size` (={size!r}) must be one integer or (height, width)")
    height, width = (check_int("size", side, SMALLEST) for side in sides)
    scene = compose(np.random.default_rng([seed, index]))
    origin = np.array(scene.camera.position, np.float32)
    rays = scene.camera.rays(height, width)
    hits = cast(scene, origin, rays)

    image = shade(scene, origin, rays, hits, height)
    # A stream of its own: the noise depends on the resolution, the scene must not.
    noise = np.random.default_rng([seed, index, 1])
    image += np.float32(NOISE) * noise.standard_normal(image.shape, np.float32)
    levels = np.clip(255 * image + 0.5, 0, 255).astype(np.uint8)
    upper = origin[1] + hits.depth * rays[1] > scene.room.centre[1]
    semantic, instance = _labels(scene, hits, upper)
    return Frame(
        image=np.ascontiguousarray(levels.T).reshape(height, width, 3),
        depth=hits.depth.reshape(height, width),
        semantic=semantic.reshape(height, width),
        instance=instance.reshape(height, width),
    )


def _labels(scene: Scene, hits: Hits, upper: Bools) -> tuple[Bytes, Bytes]:
    """Return class and instance ids, each (N,). `upper` (N,) marks the upper half of the room."""
    stuff = np.where(hits.axis == 1, np.where(upper, CEILING, FLOOR), WALL)
    # One entry more, at the end: that is where number -1, the room, points.
    classes = np.array([solid.class_id for solid in scene.solids] + [0], np.uint8)
    semantic = np.where(hits.owner < 0, stuff.astype(np.uint8), classes[hits.owner])
    visible = np.zeros(len(classes), bool)
    visible[hits.owner] = True
    visible[-1] = False
    numbers = np.where(visible, np.cumsum(visible), 0).astype(np.uint8)
    return semantic, numbers[hits.owner]
