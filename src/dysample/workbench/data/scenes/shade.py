"""What rays meet, and its colour: texture, lamp, shadows."""

from dataclasses import dataclass

import numpy as np

from .arrays import Bools, Floats, Ints, dot
from .camera import FOCAL
from .layout import Room, Scene
from .solids import Solid, intersect, leave_box, may_hit
from .texture import paint

SHADOW_SLACK = np.float32(0.999)
"""Share of the way from the lamp to a point on which a solid blocks: not at the point itself."""

_SKY = np.array([0.50, 0.51, 0.53], np.float32)
_GROUND = np.array([0.40, 0.39, 0.37], np.float32)


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


def shade(scene: Scene, origin: Floats, rays: Floats, hits: Hits, height: int) -> Floats:
    """Return the colour (3, N), 0 to 1, of what rays (3, N) from `origin` (3,) hit.

    `height` is the number of image rows: it tells how fine a texture a pixel can hold.
    """
    # Sorted by owner, every solid is one slice; only the result is put back into pixel order.
    order = np.argsort(hits.owner, kind="stable")
    rays, depth = rays.take(order, axis=1), hits.depth[order]
    owner, axis = hits.owner[order], hits.axis[order]
    points = origin[:, None] + depth * rays
    view = rays / np.sqrt(dot(rays, rays))
    pixel = depth / np.float32(FOCAL * height)
    colour, normal = np.empty_like(rays), np.empty_like(rays)
    ends = np.searchsorted(owner, np.arange(-1, len(scene.solids)), side="right")
    room = slice(0, ends[0])
    if ends[0]:
        colour[:, room], normal[:, room] = _room_surface(
            scene.room, points[:, room], view[:, room], axis[room], pixel[room]
        )
    for solid, start, end in zip(scene.solids, ends, ends[1:]):
        if start < end:
            part = slice(start, end)
            local = solid.local_points(origin, rays[:, part], depth[part])
            colour[:, part] = _solid_colour(solid, local, pixel[part])
            normal[:, part] = solid.normals(local)
    facing = dot(normal, view)
    # The back of a fence is as visible as its front: every normal turns to the camera.
    normal *= -np.sign(facing)
    result = np.empty_like(colour)
    result[:, order] = _light(scene, points, colour, normal, view, owner)
    return result


def lit(scene: Scene, points: Floats, owner: Ints) -> Bools:
    """Return which world points (3, N) the lamp reaches, (N,).

    `owner` (N,) is the solid that a point lies on, -1 for the room. A convex solid does not shade
    the side that it turns to the lamp, so it is not tested against itself.
    """
    from_lamp = points - scene.light[:, None]
    lengths = np.sqrt(dot(from_lamp, from_lamp))
    reached = np.ones(owner.shape, bool)
    for number, solid in enumerate(scene.solids):
        index = may_hit(solid, scene.light, from_lamp, lengths)
        index = index[owner[index] != number]
        if index.size:
            distance = intersect(solid, scene.light, from_lamp.take(index, axis=1))
            reached[index[distance < SHADOW_SLACK]] = False
    return reached


def _solid_colour(solid: Solid, local: Floats, pixel: Floats) -> Floats:
    """Return the texture colour (3, N) at unit-shape points `local` (3, N).

    `pixel` (N,) is the width of a pixel there in metres.
    """
    x, y, z = local * solid.half[:, None]
    if solid.shape == "box":
        side = np.argmax(np.abs(local), axis=0)
        return paint(solid.texture, np.where(side == 0, z, x), np.where(side == 1, z, y), pixel)
    if solid.shape == "fence":
        return paint(solid.texture, x, y, pixel)
    return paint(solid.texture, np.arctan2(z, x) * solid.half[0], y, pixel)


def _room_surface(
    room: Room, points: Floats, view: Floats, axis: Ints, pixel: Floats
) -> tuple[Floats, Floats]:
    """Return texture colour and inward normal, both (3, N), at world `points` (3, N) of the room.

    `axis` (N,) is the axis across the surface: 1 is floor or ceiling, 0 and 2 are walls.
    """
    x, y, z = points
    upper = y > room.centre[1]
    colour, normal = np.empty_like(points), np.zeros_like(points)
    for texture, across, chosen, u, v in (
        (room.floor, 1, (axis == 1) & ~upper, x, z),
        (room.ceiling, 1, (axis == 1) & upper, x, z),
        (room.wall, 0, axis == 0, z, y),
        (room.wall, 2, axis == 2, x, y),
    ):
        index = np.flatnonzero(chosen)
        if index.size:
            facing = np.abs(view[across, index])
            # A slanted surface holds more texture a pixel.
            footprint = pixel[index] / np.sqrt(np.maximum(facing, np.float32(0.05)))
            colour[:, index] = paint(texture, u[index], v[index], footprint)
            normal[across, index] = np.sign(room.centre[across] - points[across, index])
    return colour, normal


def _light(
    scene: Scene, points: Floats, colour: Floats, normal: Floats, view: Floats, owner: Ints
) -> Floats:
    """Return the lit colour (3, N), 0 to 1, of surface points.

    `view` (3, N) are unit vectors from the camera to the points.
    """
    towards = scene.light[:, None] - points
    squared = dot(towards, towards)
    towards /= np.sqrt(squared)
    key = np.maximum(dot(normal, towards), 0) * lit(scene, points, owner)
    key /= np.float32(0.55) + np.float32(0.09) * squared
    facing = dot(normal, view)
    ambient = (_SKY + _GROUND)[:, None] / 2 + (_SKY - _GROUND)[:, None] / 2 * normal[1]
    # A weak light at the camera keeps the faces of an object apart where the lamp does not reach.
    ambient -= np.float32(0.14) * facing
    light = ambient + (np.float32(0.6) * scene.lamp)[:, None] * key
    mirrored = dot(view, towards) - 2 * facing * dot(normal, towards)
    gloss = np.where((key > 0) & (owner >= 0), np.maximum(mirrored, 0), 0)
    for _ in range(4):  # to the power of 16, faster than `**`
        gloss *= gloss
    result: Floats = np.clip(colour * light + np.float32(0.15) * gloss, 0, 1)
    return result
