"""Solids and where rays meet them.

Every solid is a unit shape under an affine map: local = axes @ (world - centre) / half. The map
keeps the ray parameter, so one short intersection a unit shape serves all sizes and rotations.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from .arrays import Floats, Ints, dot
from .texture import Texture

Shape = Literal["box", "ball", "cylinder", "fence"]


@dataclass(frozen=True)
class Bars:
    """The bars of a fence, in metres: their width, and the pitch of the uprights and of the rails.

    A bar starts at the left and at the lower edge of the fence and again after every pitch.
    """

    width: float
    pitch_x: float
    pitch_y: float


@dataclass(frozen=True)
class Solid:
    """A unit shape, placed.

    Unit shapes: "box" is [-1, 1]^3; "ball" has radius 1; "cylinder" has radius 1 about y and
    |y| <= 1; "fence" is the square z = 0, |x|, |y| <= 1, of which only `bars` is solid.
    `centre` (3,) and the half sizes `half` (3,) are in metres; the rows of `axes` (3, 3) are the
    local axes in world coordinates, orthonormal.
    """

    shape: Shape
    class_id: int
    centre: Floats
    axes: Floats
    half: Floats
    texture: Texture
    bars: Bars | None = None

    @cached_property
    def matrix(self) -> Floats:
        """The linear part (3, 3) of the map from world to unit-shape coordinates."""
        return self.axes / self.half[:, None]

    @cached_property
    def reach(self) -> float:
        """The radius in metres of a sphere about `centre` that holds the solid."""
        if self.shape == "ball":
            return float(self.half.max())
        if self.shape == "cylinder":
            return float(np.hypot(max(self.half[0], self.half[2]), self.half[1]))
        return float(np.linalg.norm(self.half))

    def to_local(self, vectors: Floats) -> Floats:
        """Map world vectors (3, N), or one (3,), into unit-shape coordinates, without the shift."""
        # Not a matrix product: its rounding would depend on the number of threads.
        return np.stack([dot(row, vectors) for row in self.matrix])

    def local_points(self, origin: Floats, directions: Floats, distance: Floats) -> Floats:
        """Return the points origin + distance * direction, (3, N), in unit-shape coordinates."""
        start = self.to_local(origin - self.centre)
        return start[:, None] + distance * self.to_local(directions)

    def normals(self, local: Floats) -> Floats:
        """Return outward unit normals (3, N), world, at surface points `local` (3, N).

        A fence is flat: its normal is +z of its own axes on both sides.
        """
        normal = _UNIT_NORMALS[self.shape](local) / self.half[:, None]
        world = np.stack([dot(self.axes[:, column], normal) for column in range(3)])
        world /= np.sqrt(dot(world, world))
        return world


def intersect(solid: Solid, origin: Floats, directions: Floats) -> Floats:
    """Return the ray parameter of the first hit, (N,), infinite where there is none.

    All rays start at `origin` (3,), in world metres, along `directions` (3, N). A solid that holds
    the origin is not hit.
    """
    start = solid.to_local(origin - solid.centre)
    along = solid.to_local(directions)
    with np.errstate(divide="ignore", invalid="ignore"):
        if solid.shape == "fence":
            return _enter_fence(solid, start, along)
        if solid.shape == "box":
            spans = [_slab(start[axis], along[axis]) for axis in range(3)]
        elif solid.shape == "ball":
            spans = [_quadric(start, along)]
        else:
            spans = [_slab(start[1], along[1]), _quadric(start[::2], along[::2])]
        enter, leave = spans[0]
        for other_enter, other_leave in spans[1:]:
            enter = np.maximum(enter, other_enter)
            leave = np.minimum(leave, other_leave)
        return np.where((enter < leave) & (enter > 0), enter, np.float32(np.inf))


def leave_box(half: Floats, origin: Floats, directions: Floats) -> tuple[Floats, Ints]:
    """Return where rays from inside an axis-aligned box about 0 leave it: parameter, axis, (N,)."""
    with np.errstate(divide="ignore"):
        leave = [
            _slab(origin[axis] / half[axis], directions[axis] / half[axis])[1] for axis in range(3)
        ]
    axis = np.argmin(leave, axis=0)
    return np.minimum(np.minimum(leave[0], leave[1]), leave[2]), axis


def may_hit(solid: Solid, origin: Floats, directions: Floats, lengths: Floats) -> Ints:
    """Return the indices of the rays that pass the sphere around the solid: a cheap first test.

    `lengths` (N,) are the norms of `directions` (3, N).
    """
    towards = solid.centre - origin
    distance = float(np.sqrt(dot(towards, towards)))
    if distance <= solid.reach:
        return np.arange(lengths.size)
    cosine = np.float32(np.sqrt(1 - (solid.reach / distance) ** 2) * distance)
    return np.flatnonzero(dot(towards, directions) > cosine * lengths)


def _slab(start: Floats, along: Floats) -> tuple[Floats, Floats]:
    """Return where rays enter and leave -1 <= coordinate <= 1."""
    low, high = (-1 - start) / along, (1 - start) / along
    return np.minimum(low, high), np.maximum(low, high)


def _quadric(start: Floats, along: Floats) -> tuple[Floats, Floats]:
    """Return where rays enter and leave the unit circle (2 coordinates) or sphere (3)."""
    squared = sum(part * part for part in along)
    middle = -sum(here * part for here, part in zip(start, along)) / squared
    # |start x along|^2 instead of b^2 - ac: a thin pole seen from afar would lose all its digits.
    cross = start[0] * along[-1] - start[-1] * along[0]
    missed = cross * cross
    if len(start) == 3:
        missed = missed + (start[0] * along[1] - start[1] * along[0]) ** 2
        missed += (start[1] * along[2] - start[2] * along[1]) ** 2
    extent = np.sqrt(squared - missed) / squared
    return middle - extent, middle + extent


def _enter_fence(solid: Solid, start: Floats, along: Floats) -> Floats:
    assert solid.bars is not None
    distance = -start[2] / along[2]
    x, y = (start[axis] + distance * along[axis] for axis in (0, 1))
    inside = (np.abs(x) <= 1) & (np.abs(y) <= 1) & (distance > 0)
    upright = (x + 1) * solid.half[0] % np.float32(solid.bars.pitch_x) < solid.bars.width
    rail = (y + 1) * solid.half[1] % np.float32(solid.bars.pitch_y) < solid.bars.width
    return np.where(inside & (upright | rail), distance, np.float32(np.inf))


def _box_normal(local: Floats) -> Floats:
    axis = np.argmax(np.abs(local), axis=0)
    chosen = axis == np.arange(3)[:, None]
    return np.where(chosen, np.sign(local), np.float32(0))


def _cylinder_normal(local: Floats) -> Floats:
    x, y, z = local
    cap = y * y >= x * x + z * z
    zero = np.float32(0)
    return np.stack([np.where(cap, zero, x), np.where(cap, y, zero), np.where(cap, zero, z)])


def _fence_normal(local: Floats) -> Floats:
    normal = np.zeros_like(local)
    normal[2] = 1
    return normal


_UNIT_NORMALS = {
    "box": _box_normal,
    "ball": lambda local: local,
    "cylinder": _cylinder_normal,
    "fence": _fence_normal,
}
