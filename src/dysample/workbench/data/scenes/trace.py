"""What the rays of the camera meet first."""

from dataclasses import dataclass

import numpy as np

from .arrays import Floats, Ints
from .layout import Scene
from .solids import intersect, leave_box, may_hit


@dataclass(frozen=True)
class Hits:
    """The nearest surface of N rays.

    `depth` (N,) is the ray parameter: z-depth in metres for rays of the camera. `owner` (N,) is the
    number of the solid, -1 for the room. `axis` (N,) is the axis across the surface of the room
    that lies behind everything: 1 is floor or ceiling, 0 and 2 are walls.
    """

    depth: Floats
    owner: Ints
    axis: Ints


def cast(scene: Scene, origin: Floats, rays: Floats) -> Hits:
    """Find what rays (3, N) from `origin` (3,), metres, meet first."""
    depth, axis = leave_box(scene.room.half, origin - scene.room.centre, rays)
    owner = np.full(depth.shape, -1, np.intp)
    lengths = np.sqrt((rays * rays).sum(axis=0))
    for number, solid in enumerate(scene.solids):
        index = may_hit(solid, origin, rays, lengths)
        if index.size:
            distance = intersect(solid, origin, rays.take(index, axis=1))
            closer = distance < depth[index]
            index = index[closer]
            depth[index] = distance[closer]
            owner[index] = number
    return Hits(depth, owner, axis)
