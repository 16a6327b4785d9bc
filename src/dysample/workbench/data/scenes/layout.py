"""What stands where: the random composition of one scene."""

import math
from dataclasses import dataclass

import numpy as np

from . import palette
from .arrays import Floats
from .camera import FOCAL, Camera
from .classes import BALL, BOX, CYLINDER, FENCE, POLE
from .solids import Bars, Shape, Solid
from .texture import Texture

Circle = tuple[float, float, float]
"""A disc of the floor plan that is taken: x, z and radius in metres."""

THIN_SHARE = 0.4
PIXEL = 1 / (64 * FOCAL)
"""Width in metres of one pixel at a depth of 1 m, in an image of 64 rows."""


@dataclass(frozen=True)
class Room:
    """A box-shaped room in metres; `centre` and half sizes `half` are (3,)."""

    centre: Floats
    half: Floats
    floor: Texture
    wall: Texture
    ceiling: Texture


@dataclass(frozen=True)
class Scene:
    """Everything that is drawn. Solid k is instance k + 1 before hidden ones are dropped.

    `light` (3,) is the place of the lamp in metres, `lamp` its RGB colour.
    """

    camera: Camera
    room: Room
    solids: tuple[Solid, ...]
    light: Floats
    lamp: Floats


def compose(random: np.random.Generator) -> Scene:
    """Draw one scene: a room, 9 to 14 objects of which 40 % are thin, a camera and a lamp."""
    count = int(random.integers(9, 15))
    planner = _furnish(random, count)
    while len(planner.solids) < count:  # A narrow room was full before its time: another one.
        planner = _furnish(random, count)
    room = planner.room
    x, z = planner.to_world(random.uniform(-1.2, 1.2), random.uniform(1.0, 3.0))
    light = np.array([x, 2 * planner.half[1] - random.uniform(0.25, 0.4), z], np.float32)
    limit = room.half - np.float32(0.2)
    light = np.clip(light, room.centre - limit, room.centre + limit)
    return Scene(planner.camera, room, tuple(planner.solids), light, palette.lamp(random))


def _furnish(random: np.random.Generator, count: int) -> "_Planner":
    """Put up to `count` objects into a new room, as many as find a place."""
    eye = random.uniform(1.15, 1.6)
    camera = Camera((0.0, eye, 0.0), random.uniform(-0.35, 0.35), random.uniform(0.02, 0.2))
    planner = _Planner(random, camera, _room(random))
    thin = round(THIN_SHARE * count)
    for _ in range(count - thin):
        planner.add_thick()
    for _ in range(thin):
        planner.add_thin()
    return planner


def _room(random: np.random.Generator) -> Room:
    left, right = random.uniform(1.1, 3.3, size=2)
    back, front = random.uniform(0.4, 0.8), random.uniform(4.8, 6.4)
    height = random.uniform(2.4, 3.0)
    return Room(
        centre=np.array([(right - left) / 2, height / 2, (front - back) / 2], np.float32),
        half=np.array([(right + left) / 2, height / 2, (front + back) / 2], np.float32),
        floor=palette.stuff(random, "floor"),
        wall=palette.stuff(random, "wall"),
        ceiling=palette.stuff(random, "ceiling"),
    )


class _Planner:
    """Finds free places on the floor, in view of the camera, and fills them."""

    def __init__(self, random: np.random.Generator, camera: Camera, room: Room) -> None:
        self.random = random
        self.camera = camera
        self.room = room
        # Python floats: scalar arithmetic on numpy values is slow.
        self.middle: list[float] = room.centre.tolist()
        self.half: list[float] = room.half.tolist()
        self.solids: list[Solid] = []
        self.taken: list[Circle] = []
        # (x, top, z, radius) of what something may be put upon
        self.supports: list[tuple[float, float, float, float]] = []

    def to_world(self, across: float, depth: float) -> tuple[float, float]:
        """Turn a place on the floor plan as the camera sees it into world (x, z), in metres."""
        sine, cosine = math.sin(self.camera.yaw), math.cos(self.camera.yaw)
        return across * cosine + depth * sine, depth * cosine - across * sine

    def add_thick(self) -> None:
        """Add a box, a ball or a cylinder, on the floor or on top of another object."""
        random = self.random
        class_id = int(random.choice((BOX, BALL, CYLINDER)))
        half = _thick_half(random, class_id)
        if self.supports and random.random() < 0.3:
            x, base, z, radius = self.supports.pop(int(random.integers(len(self.supports))))
            half *= min(1.0, 0.9 * radius / max(half[0], half[2]), 0.5 / half[1])
        else:
            radius = float(np.hypot(half[0], half[2])) if class_id == BOX else float(max(half[::2]))
            found = self._free([(0.0, 0.0, radius)], 1.1 + 1.6 * radius, 5.4)
            if found is None:
                return
            x, z, _ = found
            base = 0.0
            if class_id != BALL and 2 * half[1] < 1.3:
                self.supports.append((x, 2 * float(half[1]), z, float(min(half[0], half[2]))))
        self._put(class_id, (x, base + float(half[1]), z), half, _turn(random.uniform(0, math.tau)))

    def add_thin(self) -> None:
        """Add a pole or a fence whose bars are 0.9 to 1.9 pixels wide in an image of 64 rows."""
        if self.random.random() < 0.55:
            self._add_pole()
        else:
            self._add_fence()

    def _add_pole(self) -> None:
        random = self.random
        found = self._free([(0.0, 0.0, 0.08)], 0.6, 5.0)
        if found is None:
            return
        x, z, depth = found
        radius = random.uniform(0.9, 1.9) * PIXEL * depth / 2
        ceiling = 2 * self.half[1]
        kind = random.random()
        lean, length = 0.0, random.uniform(0.7, 1.8)
        if kind < 0.2:
            length = ceiling
        elif kind < 0.6:
            lean = random.uniform(0.1, 0.4) * random.choice((-1, 1))
        hangs = kind > 0.85
        tilt = _turn(random.uniform(0, math.tau)) if lean == 0 else _lean(lean, self.camera.yaw)
        middle = length / 2 * math.cos(lean)
        half = np.array([radius, length / 2, radius], np.float32)
        self._put(POLE, (x, ceiling - middle if hangs else middle, z), half, tilt)

    def _add_fence(self) -> None:
        random = self.random
        width, height = random.uniform(0.6, 1.4), random.uniform(0.4, 0.9)
        turn = self.camera.yaw + random.uniform(-0.8, 0.8)
        # A row of discs keeps the fence out of the other objects without blocking a whole circle.
        row = [
            (offset * math.cos(turn), -offset * math.sin(turn), 0.1)
            for offset in np.linspace(-width / 2, width / 2, 6)
        ]
        found = self._free(row, 1.4, 5.0)
        if found is None:
            return
        x, z, depth = found
        bar = random.uniform(0.9, 1.9) * PIXEL * depth
        bars = _bars(random, width, height, bar)
        half = np.array([width / 2, height / 2, bar / 2], np.float32)
        self._put(FENCE, (x, height / 2, z), half, _turn(turn), bars)

    def _free(
        self, shape: list[Circle], near: float, far: float
    ) -> tuple[float, float, float] | None:
        """Look for a free place for discs `shape` about it: x, z and depth from the camera."""
        for _ in range(80):
            depth = self.random.uniform(near, far)
            across = depth * self.random.uniform(-0.58, 0.58)
            x, z = self.to_world(across, depth)
            discs = [(x + dx, z + dz, radius) for dx, dz, radius in shape]
            if all(self._inside(disc) and self._clear(disc) for disc in discs):
                self.taken.extend(discs)
                return x, z, depth
        return None

    def _inside(self, disc: Circle) -> bool:
        (middle_x, _, middle_z), (half_x, _, half_z) = self.middle, self.half
        x, z, radius = disc
        return abs(x - middle_x) < half_x - radius and abs(z - middle_z) < half_z - radius

    def _clear(self, disc: Circle) -> bool:
        x, z, radius = disc
        return all(math.hypot(x - a, z - b) > radius + other for a, b, other in self.taken)

    def _put(
        self,
        class_id: int,
        centre: tuple[float, float, float],
        half: Floats,
        axes: Floats,
        bars: Bars | None = None,
    ) -> None:
        texture = palette.thing(self.random, class_id)
        place = np.array(centre, np.float32)
        self.solids.append(Solid(_SHAPES[class_id], class_id, place, axes, half, texture, bars))


_SHAPES: dict[int, Shape] = {
    BOX: "box",
    BALL: "ball",
    CYLINDER: "cylinder",
    POLE: "cylinder",
    FENCE: "fence",
}


def _thick_half(random: np.random.Generator, class_id: int) -> Floats:
    """Draw half sizes (3,) in metres."""
    if class_id == BOX:
        half = [random.uniform(0.2, 0.52), random.uniform(0.2, 0.85), random.uniform(0.2, 0.52)]
    elif class_id == BALL:
        radius = random.uniform(0.24, 0.55)
        half = [radius, radius * random.uniform(0.8, 1.6), radius]
    else:
        radius = random.uniform(0.19, 0.45)
        half = [radius, random.uniform(0.25, 0.85), radius]
    return np.array(half, np.float32)


def _bars(random: np.random.Generator, width: float, height: float, bar: float) -> Bars:
    """Draw pickets, slats or a lattice, with a bar at each of the four edges."""
    gap = bar * random.uniform(3.0, 4.6)
    style = random.random()
    pitch_x = width - bar if 0.4 < style < 0.65 else gap
    pitch_y = height - bar if style < 0.4 else gap
    return Bars(bar, _even(width - bar, pitch_x), _even(height - bar, pitch_y))


def _even(span: float, pitch: float) -> float:
    """Return the pitch closest to `pitch` that divides `span`."""
    return span / max(1, round(span / pitch))


def _turn(yaw: float) -> Floats:
    """Return axes (3, 3) turned about the vertical by `yaw` radians."""
    sine, cosine = math.sin(yaw), math.cos(yaw)
    return np.array([[cosine, 0, -sine], [0, 1, 0], [sine, 0, cosine]], np.float32)


def _lean(angle: float, yaw: float) -> Floats:
    """Return axes (3, 3) of which y leans sideways by `angle` for a viewer turned by `yaw`."""
    sine, cosine = math.sin(angle), math.cos(angle)
    sideways = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]], np.float32)
    return sideways @ _turn(yaw)
