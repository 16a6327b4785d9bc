"""The ray caster of the scenes: where rays meet surfaces, and where the lamp does not reach."""

import math
from dataclasses import replace

import numpy as np
import pytest

from dysample.workbench.data.scenes import CLASSES, THINGS, render_frame
from dysample.workbench.data.scenes.camera import FOCAL, Camera
from dysample.workbench.data.scenes.classes import BOX, FENCE
from dysample.workbench.data.scenes.layout import Scene, compose
from dysample.workbench.data.scenes.shade import cast, lit, shade
from dysample.workbench.data.scenes.solids import Solid, intersect, leave_box


def composed(index: int) -> Scene:
    return compose(np.random.default_rng([0, index]))


def vector(*entries: float) -> np.ndarray:
    return np.array(entries, np.float32)


def empty_scene(camera: Camera) -> Scene:
    scene = composed(0)
    room = replace(scene.room, centre=vector(0, 1.5, 2.5), half=vector(3, 1.5, 3.5))
    return replace(
        scene, camera=camera, room=room, solids=(), light=vector(0, 2.8, 3), lamp=vector(1, 1, 1)
    )


def test_depth_of_floor_and_wall_is_measured_along_the_optical_axis():
    height, eye = 40, 1.2
    camera = Camera((0.0, eye, 0.0), 0.0, 0.0)
    origin, rays = vector(0, eye, 0), camera.rays(height, height)
    hits = cast(empty_scene(camera), origin, rays)
    depth = hits.depth.reshape(height, height)
    row, column = 38, 3
    below = (row + 0.5 - height / 2) / (FOCAL * height)
    np.testing.assert_allclose(depth[row], eye / below, rtol=1e-5)
    # The wall at z = 6 m: the same z-depth over the whole row, while the rays grow longer.
    middle = height // 2
    np.testing.assert_allclose(depth[middle, 15:25], 6.0, rtol=1e-5)
    points = origin[:, None] + hits.depth * rays
    length = np.linalg.norm(points - origin[:, None], axis=0).reshape(height, height)
    slant = math.hypot(1, (column + 0.5 - height / 2) / (FOCAL * height), below)
    assert length[row, column] == pytest.approx(slant * depth[row, column], rel=1e-5)


def test_depth_and_class_put_the_room_where_it_is():
    for index in range(20):
        scene, frame = composed(index), render_frame(0, index, 32)
        points = frame.depth.ravel() * scene.camera.rays(32, 32)
        points += vector(*scene.camera.position)[:, None]
        floor, wall, ceiling = (frame.semantic.ravel() == class_id for class_id in range(3))
        np.testing.assert_allclose(points[1, floor], 0, atol=1e-4)
        np.testing.assert_allclose(points[1, ceiling], 2 * scene.room.half[1], atol=1e-4)
        offset = np.abs(points - scene.room.centre[:, None]) - scene.room.half[:, None]
        np.testing.assert_allclose(offset[::2, wall].max(axis=0), 0, atol=1e-4)
        assert (offset < 1e-4).all()


def test_yaw_turns_right_and_pitch_turns_down():
    ahead = Camera((0.0, 0.0, 0.0), 0.3, 0.2).rays(9, 9)[:, 40]
    expected = (math.sin(0.3) * math.cos(0.2), -math.sin(0.2), math.cos(0.3) * math.cos(0.2))
    np.testing.assert_allclose(ahead, expected, atol=1e-6)
    rays = Camera((0.0, 0.0, 0.0), 0.3, 0.2).rays(9, 9).reshape(3, 9, 9)
    assert rays[1, 0, 4] > rays[1, 8, 4]
    assert rays[0, 4, 8] > rays[0, 4, 0]


def quadratic(a: float, b: float, c: float) -> list[float]:
    """Roots of a t^2 + 2 b t + c."""
    root = b * b - a * c
    return [] if root < 0 else [(-b - math.sqrt(root)) / a, (-b + math.sqrt(root)) / a]


def first_hit(solid: Solid, origin: np.ndarray, ray: np.ndarray) -> float:
    """One ray, float64, by the definition of the shapes: candidates, then a test of each."""
    axes, half = solid.axes.astype(float), solid.half.astype(float)
    o = axes @ (origin - solid.centre.astype(float)) / half
    d = axes @ ray / half
    found = []
    for axis in {"box": (0, 1, 2), "cylinder": (1,), "ball": (), "fence": ()}[solid.shape]:
        for side in (-1, 1):
            t = (side - o[axis]) / d[axis]
            point = np.delete(o + t * d, axis)
            inside = np.abs(point).max() if solid.shape == "box" else np.hypot(*point)
            found += [t] if inside <= 1 else []
    if solid.shape == "ball":
        found += quadratic(d @ d, o @ d, o @ o - 1)
    if solid.shape == "cylinder":
        a, b, c = d[0] ** 2 + d[2] ** 2, o[0] * d[0] + o[2] * d[2], o[0] ** 2 + o[2] ** 2 - 1
        found += [t for t in quadratic(a, b, c) if abs(o[1] + t * d[1]) <= 1]
    if solid.shape == "fence":
        t = -o[2] / d[2]
        across, up = ((o + t * d)[:2] + 1) * half[:2]
        if 0 <= across <= 2 * half[0] and 0 <= up <= 2 * half[1]:
            bars = solid.bars
            if across % bars.pitch_x < bars.width or up % bars.pitch_y < bars.width:
                found.append(t)
    return min((t for t in found if t > 0), default=math.inf)


def test_the_nearest_surface_wins_as_in_a_scalar_loop():
    agree, owners = [], set()
    for index in range(6):
        scene = composed(index)
        origin = np.array(scene.camera.position)
        rays = scene.camera.rays(48, 48)
        hits = cast(scene, origin.astype(np.float32), rays)
        for pixel in np.random.default_rng(index).choice(48 * 48, 120, replace=False):
            ray = rays[:, pixel].astype(float)
            distances = [first_hit(solid, origin, ray) for solid in scene.solids]
            side = np.where(ray > 0, scene.room.half, -scene.room.half) + scene.room.centre
            distances.append(np.min((side - origin) / ray))  # the room is number -1
            nearest = int(np.argmin(distances))
            owner = int(hits.owner[pixel]) % len(distances)
            agree.append(owner == nearest)
            if owner == nearest:
                assert hits.depth[pixel] == pytest.approx(distances[nearest], rel=1e-3)
                owners.add(scene.solids[owner].class_id if owner < len(scene.solids) else 0)
    # A float32 ray may pass on the other side of an edge, rarely.
    assert np.mean(agree) > 0.99
    assert {CLASSES[owner] for owner in owners - {0}} == set(THINGS)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_ray_along_an_axis_meets_a_box_and_the_room(axis):
    solid = next(s for s in composed(1).solids if s.class_id == BOX)
    solid = replace(solid, centre=vector(0, 0, 0), half=vector(1, 2, 3), axes=np.eye(3))
    ray = np.eye(3, dtype=np.float32)[:, axis : axis + 1]
    assert intersect(solid, -10 * ray[:, 0], ray) == pytest.approx([10 - solid.half[axis]])
    distance, across = leave_box(solid.half, vector(0, 0, 0), ray)
    assert (distance, across) == (solid.half[axis], axis)


@pytest.mark.parametrize("shape", ["box", "ball", "cylinder"])
def test_normals_point_out_of_the_surface(shape):
    solid = next(s for index in range(20) for s in composed(index).solids if s.shape == shape)
    random = np.random.default_rng(0)
    origin = solid.centre + vector(0.3, 2.5, -3)
    aims = solid.centre[:, None] + 0.3 * random.uniform(-1, 1, (3, 200)).astype(np.float32)
    rays = aims - origin[:, None]
    distance = intersect(solid, origin, rays)
    rays, distance = rays[:, np.isfinite(distance)], distance[np.isfinite(distance)]
    assert distance.size > 20
    local = solid.local_points(origin, rays, distance)
    normal = solid.normals(local)
    np.testing.assert_allclose(np.linalg.norm(normal, axis=0), 1, rtol=1e-5)
    assert ((normal * rays).sum(axis=0) < 0).all()
    # A step inwards along the normal is inside, a step outwards is outside.
    size = {"box": lambda p: np.abs(p).max(0), "ball": lambda p: np.linalg.norm(p, axis=0)}.get(
        shape, lambda p: np.maximum(np.abs(p[1]), np.hypot(p[0], p[2]))
    )
    step = solid.to_local(np.float32(0.01) * normal)
    assert (size(local + step) > 1).all()
    assert (size(local - step) < 1).all()


def test_a_fence_has_bars_and_holes():
    fences = [s for index in range(30) for s in composed(index).solids if s.class_id == FENCE]
    assert len(fences) > 20
    for fence in fences:
        half, bars = fence.half, fence.bars
        column, row = (bars.width + bars.pitch_x) / 2, (bars.width + bars.pitch_y) / 2
        targets = {
            "upright": (bars.width / 2, row),
            "rail": (column, bars.width / 2),
            "hole": (column, row),
            "outside": (-bars.width, row),
        }
        shift = [(x - half[0], y - half[1], 0.0) for x, y in targets.values()]
        points = fence.centre + np.array(shift, np.float32) @ fence.axes
        eye = fence.centre + 2 * fence.axes[2]
        distance = intersect(fence, eye, (points - eye).T)
        np.testing.assert_allclose(distance, [1, 1, np.inf, np.inf], rtol=1e-4)


def test_something_is_seen_through_a_fence():
    through = 0
    for index in range(10):
        scene = composed(index)
        origin, rays = vector(*scene.camera.position), scene.camera.rays(64, 64)
        hits = cast(scene, origin, rays)
        for number, solid in enumerate(scene.solids):
            if solid.class_id == FENCE:
                board = replace(solid, bars=replace(solid.bars, width=10.0))
                distance = intersect(board, origin, rays)
                through += int(((hits.depth > distance * 1.01) & (hits.owner != number)).sum())
    assert through > 500


def test_a_shadow_is_darker_and_lies_behind_the_object():
    camera = Camera((0.0, 1.4, 0.0), 0.0, 0.3)
    bare = empty_scene(camera)
    solid = replace(
        next(s for s in composed(1).solids if s.class_id == BOX),
        centre=vector(0, 2.2, 3),
        half=vector(0.3, 0.1, 0.3),
        axes=np.eye(3, dtype=np.float32),
    )
    scene = replace(bare, solids=(solid,))
    # Lamp at 2.8 m, upper edge of the box at 2.3 m: the shadow on the floor reaches
    # 0.3 * 2.8 / 0.5 m to each side.
    edge = 0.3 * 2.8 / 0.5
    # The last point is between lamp and box.
    points = [[0, 0, 3], [edge - 0.02, 0, 3], [edge + 0.02, 0, 3], [0, 2.4, 3]]
    reached = lit(scene, np.array(points, np.float32).T, np.full(4, -1))
    assert reached.tolist() == [False, False, True, True]

    origin, rays = vector(0, 1.4, 0), camera.rays(48, 48)
    with_box, without = cast(scene, origin, rays), cast(bare, origin, rays)
    shaded = shade(scene, origin, rays, with_box, 48)
    plain = shade(bare, origin, rays, without, 48)
    floor = (with_box.owner < 0) & (without.axis == 1) & (rays[1] < 0)
    ratio = shaded[:, floor].mean(axis=0) / plain[:, floor].mean(axis=0)
    points = origin[:, None] + without.depth * rays
    inside = np.maximum(np.abs(points[0]), np.abs(points[2] - 3))[floor] < edge
    assert inside.sum() > 50
    assert (ratio[inside] < 0.9).all()
    np.testing.assert_allclose(ratio[~inside], 1, rtol=1e-5)
