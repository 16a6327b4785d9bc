"""The pinhole camera, and the coordinates that every file of this folder uses.

World: metres, x to the right, y up, z forward; the floor is the plane y = 0. Image: row 0 is at the
top, and pixel (row, column) is sampled at its centre, (row + 0.5, column + 0.5).
"""

import math
from dataclasses import dataclass

import numpy as np

from .arrays import Floats

FOCAL = 0.8
"""Focal length in image heights: a vertical field of view of 64 degrees at every resolution."""


@dataclass(frozen=True)
class Camera:
    """A camera without roll.

    `position` is (x, y, z) in metres. `yaw` turns to the right and `pitch` turns down, in radians;
    with both at 0 the camera looks along +z.
    """

    position: tuple[float, float, float]
    yaw: float
    pitch: float

    def rays(self, height: int, width: int) -> Floats:
        """Return one ray direction a pixel, (3, height * width), row by row, in world coordinates.

        Each direction advances by 1 m along the optical axis, so the parameter of a hit on the ray
        is its z-depth in metres.
        """
        sin_yaw, cos_yaw = math.sin(self.yaw), math.cos(self.yaw)
        sin_pitch, cos_pitch = math.sin(self.pitch), math.cos(self.pitch)
        forward = (sin_yaw * cos_pitch, -sin_pitch, cos_yaw * cos_pitch)
        right = (cos_yaw, 0.0, -sin_yaw)
        up = (sin_yaw * sin_pitch, cos_pitch, cos_yaw * sin_pitch)
        across = (np.arange(width) + 0.5 - width / 2) / (FOCAL * height)
        upward = (height / 2 - np.arange(height) - 0.5) / (FOCAL * height)
        directions = np.empty((3, height, width), np.float32)
        for axis in range(3):
            column = forward[axis] + upward * up[axis]
            directions[axis] = column[:, None] + (across * right[axis])[None, :]
        return directions.reshape(3, height * width)
