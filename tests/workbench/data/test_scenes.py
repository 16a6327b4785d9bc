"""Rendered frames: determinism, labels, statistics, refusals."""

import math
import os
import subprocess
import sys
import zlib
from functools import cache

import numpy as np
import pytest

from dysample.workbench.data.scenes import CLASSES, THINGS, render_frame
from dysample.workbench.data.scenes.classes import FENCE, POLE
from dysample.workbench.data.scenes.layout import PIXEL, Scene, compose
from support.refusals import refused

FIRST_THING = len(CLASSES) - len(THINGS)


def composed(index: int) -> Scene:
    return compose(np.random.default_rng([0, index]))


@cache
def many_frames():
    return [render_frame(0, index, 48) for index in range(120)]


def checksum(frame) -> int:
    arrays = (frame.image, frame.depth, frame.semantic, frame.instance)
    return zlib.crc32(b"".join(array.tobytes() for array in arrays))


def test_shapes_and_types():
    frame = render_frame(0, 0, (24, 40))
    assert (frame.image.shape, frame.image.dtype) == ((24, 40, 3), np.uint8)
    assert (frame.depth.shape, frame.depth.dtype) == ((24, 40), np.float32)
    assert (frame.semantic.shape, frame.semantic.dtype) == ((24, 40), np.uint8)
    assert (frame.instance.shape, frame.instance.dtype) == ((24, 40), np.uint8)


def test_a_frame_depends_on_seed_and_index_alone():
    first = checksum(render_frame(3, 5, 32))
    render_frame(3, 6, 32)
    assert checksum(render_frame(3, 5, 32)) == first
    assert checksum(render_frame(3, 6, 32)) != first
    assert checksum(render_frame(4, 5, 32)) != first


def test_another_process_renders_the_same_bits():
    script = (
        "import zlib; from dysample.workbench.data.scenes import render_frame\n"
        "f = render_frame(3, 5, 32)\n"
        "arrays = (f.image, f.depth, f.semantic, f.instance)\n"
        "print(zlib.crc32(b''.join(a.tobytes() for a in arrays)))"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONHASHSEED": "7"}
    output = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert int(output.stdout) == checksum(render_frame(3, 5, 32))


@pytest.mark.parametrize("index", [0, 1, 2, 3])
def test_the_same_scene_at_three_times_the_resolution(index):
    # The centre of pixel i is the centre of pixel 3 i + 1 in an image three times as large.
    small, large = render_frame(0, index, 32), render_frame(0, index, 96)
    middle = np.s_[1::3, 1::3]
    assert (small.semantic == large.semantic[middle]).mean() > 0.998
    assert np.isclose(small.depth, large.depth[middle], rtol=1e-4).mean() > 0.998


def test_a_wider_image_shows_more_on_both_sides():
    narrow, wide = render_frame(0, 2, (32, 32)), render_frame(0, 2, (32, 64))
    assert (narrow.semantic == wide.semantic[:, 16:48]).mean() > 0.998


def test_things_and_thin_classes_cover_what_they_should():
    histograms = np.array(
        [np.bincount(frame.semantic.ravel(), minlength=8) / 48**2 for frame in many_frames()]
    )
    mean = histograms.mean(axis=0)
    assert 0.25 < mean[FIRST_THING:].sum() < 0.45
    assert 0.04 < mean[POLE] + mean[FENCE] < 0.07
    assert (mean > 0.015).all()
    assert ((histograms > 0).mean(axis=0) > 0.7).all()


def test_scenes_hold_9_to_14_objects_of_which_two_fifths_are_thin():
    counts = set()
    for index in range(150):
        classes = [solid.class_id for solid in composed(index).solids]
        counts.add(len(classes))
        thin = sum(class_id in (POLE, FENCE) for class_id in classes)
        assert thin == round(0.4 * len(classes))
    assert counts == set(range(9, 15))


def test_thin_objects_are_one_or_two_pixels_wide_in_an_image_of_64_rows():
    for index in range(40):
        scene = composed(index)
        sine, cosine = math.sin(scene.camera.yaw), math.cos(scene.camera.yaw)
        for solid in scene.solids:
            if solid.class_id in (POLE, FENCE):
                depth = solid.centre[0] * sine + solid.centre[2] * cosine
                width = 2 * solid.half[0] if solid.class_id == POLE else solid.bars.width
                assert 0.89 < width / (PIXEL * depth) < 1.91


def test_instances_are_numbered_without_gaps_and_have_one_class_each():
    for frame in many_frames():
        numbers = np.unique(frame.instance)
        assert numbers.tolist() == list(range(numbers.size))
        assert ((frame.instance > 0) == (frame.semantic >= FIRST_THING)).all()
        for number in numbers[1:]:
            assert np.unique(frame.semantic[frame.instance == number]).size == 1


def test_most_objects_are_visible():
    assert np.mean([frame.instance.max() for frame in many_frames()]) > 9


def test_depth_is_finite_and_in_range():
    lows = [frame.depth.min() for frame in many_frames()]
    highs = [frame.depth.max() for frame in many_frames()]
    assert np.isfinite(highs).all()
    assert 0.4 < min(lows) < 1.0
    assert 6.0 < max(highs) < 7.3


def test_images_are_neither_black_nor_burnt_out():
    images = np.array([frame.image for frame in many_frames()])
    assert 90 < images.mean() < 150
    assert (images == 255).any(axis=-1).mean() < 0.05
    assert (images.max(axis=-1) < 25).mean() < 0.01
    assert images.std(axis=(1, 2)).mean() > 25


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((0, 0, 0), ValueError, r"`size` \(=0\) must be at least 8"),
        ((0, 0, (64, 7)), ValueError, r"`size` \(=7\) must be at least 8"),
        ((0, 0, (64, 64, 3)), ValueError, r"`size` .* one integer or \(height, width\)"),
        ((0, 0, 64.0), TypeError, r"`size` \(=64.0\) must be an integer"),
        ((-1, 0, 64), ValueError, r"`seed` \(=-1\) must be at least 0"),
        ((0, -2, 64), ValueError, r"`index` \(=-2\) must be at least 0"),
        ((True, 0, 64), TypeError, r"`seed` \(=True\) must be an integer"),
        ((0, "1", 64), TypeError, r"`index` \(='1'\) must be an integer"),
    ],
)
def test_wrong_arguments_are_refused(arguments, error, message):
    with refused(message, error):
        render_frame(*arguments)
