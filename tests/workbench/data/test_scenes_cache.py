"""Sets of scenes: the splits, and the file that keeps them."""

import io
import logging
import os
import subprocess
import sys

import numpy as np
import pytest

from dysample.workbench.data.scenes import cache as cache_module
from dysample.workbench.data.scenes import load_scenes, render_frame
from support.refusals import refused

FIELDS = ("image", "depth", "semantic", "instance")


def same(left, right) -> bool:
    return all(np.array_equal(getattr(left, name), getattr(right, name)) for name in FIELDS)


def only_file(folder):
    (path,) = folder.glob("*.npz")
    return path


@pytest.fixture
def no_rendering(monkeypatch):
    def refuse(*arguments):
        raise AssertionError("rendered")

    def use():
        monkeypatch.setattr(cache_module, "render_frame", refuse)

    return use


def test_frames_come_back_from_the_file_as_they_were_rendered(tmp_path, no_rendering):
    calls = []
    rendered = load_scenes(
        "train", 3, 16, 5, tmp_path, lambda done, all_: calls.append((done, all_))
    )
    assert calls == [(1, 3), (2, 3), (3, 3)]
    no_rendering()
    read = load_scenes("train", 3, 16, 5, tmp_path, lambda *_: pytest.fail("progress"))
    assert same(rendered, read)
    assert (read.image.shape, read.image.dtype) == ((3, 16, 16, 3), np.uint8)
    assert (read.depth.shape, read.depth.dtype) == ((3, 16, 16), np.float32)
    for index in range(3):
        frame = render_frame(5, index, 16)
        for name in FIELDS:
            assert np.array_equal(getattr(read, name)[index], getattr(frame, name))
    assert all(getattr(read, name).flags.writeable for name in FIELDS)


def test_train_and_validation_take_their_frames_from_disjoint_ranges(tmp_path):
    train = load_scenes("train", 2, 16, cache=tmp_path)
    val = load_scenes("val", 2, 16, cache=tmp_path)
    for index in range(2):
        assert np.array_equal(train.image[index], render_frame(0, index, 16).image)
        assert np.array_equal(val.image[index], render_frame(0, 1_000_000 + index, 16).image)
    assert not any(np.array_equal(a, b) for a in train.depth for b in val.depth)


def test_every_choice_has_a_file_of_its_own(tmp_path):
    load_scenes("train", 1, 8, 0, tmp_path)
    load_scenes("val", 1, 8, 0, tmp_path)
    load_scenes("train", 2, 8, 0, tmp_path)
    load_scenes("train", 1, 9, 0, tmp_path)
    load_scenes("train", 1, 8, 1, tmp_path)
    assert len(list(tmp_path.glob("*.npz"))) == 5
    assert not list(tmp_path.glob("*.part"))


def test_a_new_renderer_does_not_read_old_files(tmp_path, monkeypatch, no_rendering):
    load_scenes("train", 1, 8, 0, tmp_path)
    monkeypatch.setattr(cache_module, "VERSION", cache_module.VERSION + 1)
    no_rendering()
    with pytest.raises(AssertionError, match="rendered"):
        load_scenes("train", 1, 8, 0, tmp_path)


def truncate(content: bytes) -> bytes:
    return content[:-100]


def empty(content: bytes) -> bytes:
    return b""


def flip_a_bit(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def garble_end(content: bytes) -> bytes:
    return content[:-22] + bytes(22)


def changed(**arrays):
    """A whole file of other arrays."""

    def change(content: bytes) -> bytes:
        with np.load(io.BytesIO(content)) as found:
            held = dict(found) | arrays
        file = io.BytesIO()
        np.savez(file, **{name: array for name, array in held.items() if array is not None})
        return file.getvalue()

    return change


def old_form(content: bytes) -> bytes:
    return b'{"count": 2, "size": 16, "bytes": 4608, "crc32": 0}\n' + bytes(4608)


def one_array(content: bytes) -> bytes:
    file = io.BytesIO()
    np.save(file, np.zeros(3))
    return file.getvalue()


@pytest.mark.parametrize(
    "damage",
    [
        truncate,
        empty,
        flip_a_bit,
        garble_end,
        old_form,
        one_array,
        pytest.param(changed(depth=np.zeros((2, 17, 17), np.float32)), id="size"),
        pytest.param(changed(depth=np.zeros((2, 16, 16))), id="dtype"),
        pytest.param(changed(depth=np.array([{}], object)), id="pickle"),
        pytest.param(changed(depth=None), id="missing"),
        pytest.param(changed(more=np.zeros(1)), id="more"),
    ],
)
def test_a_damaged_file_is_noticed_and_rendered_again(tmp_path, caplog, no_rendering, damage):
    good = load_scenes("train", 2, 16, 0, tmp_path)
    path = only_file(tmp_path)
    content = path.read_bytes()
    path.write_bytes(damage(content))
    with caplog.at_level(logging.WARNING):
        again = load_scenes("train", 2, 16, 0, tmp_path)
    assert same(good, again)
    assert path.read_bytes() == content
    assert [path.name in record.getMessage() for record in caplog.records] == [True]
    no_rendering()
    assert same(good, load_scenes("train", 2, 16, 0, tmp_path))


def test_no_flipped_bit_gives_other_frames(tmp_path):
    good = load_scenes("train", 1, 8, 0, tmp_path)
    path = only_file(tmp_path)
    content = path.read_bytes()
    damaged = 0
    places = range(0, len(content), 5)
    for place in places:
        path.write_bytes(content[:place] + bytes([content[place] ^ 16]) + content[place + 1 :])
        try:
            assert same(cache_module._read(path, 1, 8), good)  # a date, or what nothing reads
        except cache_module._DamagedError:
            damaged += 1
    assert damaged > 0.75 * len(places)


def test_an_interrupted_rendering_leaves_nothing_behind(tmp_path, monkeypatch):
    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load_scenes("train", 2, 8, 0, tmp_path, stop)
    assert not list(tmp_path.glob("*.npz"))

    def full_disk(descriptor):
        raise OSError("no space left")

    monkeypatch.setattr(cache_module.os, "fsync", full_disk)
    with refused("no space left", OSError):
        load_scenes("train", 2, 8, 0, tmp_path)
    assert {path.suffix for path in tmp_path.iterdir()} <= {".lock"}


CHILD = """
import sys, zlib
from pathlib import Path
from dysample.workbench.data.scenes import load_scenes
print("ready", flush=True)
sys.stdin.readline()
rendered = []
s = load_scenes("train", 60, 32, 0, Path(sys.argv[1]), lambda done, total: rendered.append(done))
arrays = (s.image, s.depth, s.semantic, s.instance)
print(len(rendered), zlib.crc32(b"".join(a.tobytes() for a in arrays)))
"""


def test_of_two_processes_one_renders_and_both_read_the_same(tmp_path):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    children = [
        subprocess.Popen(
            [sys.executable, "-c", CHILD, str(tmp_path)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for child in children:
        assert child.stdout.readline() == "ready\n"
    for child in children:
        child.stdin.write("go\n")
        child.stdin.flush()
    results = [child.communicate(timeout=60)[0].split() for child in children]
    assert [child.returncode for child in children] == [0, 0]
    assert sorted(int(rendered) for rendered, _ in results) == [0, 60]
    assert results[0][1] == results[1][1]
    assert only_file(tmp_path).exists()


def test_the_default_folder_follows_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("DYSAMPLE_CACHE", str(tmp_path / "own"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    load_scenes("train", 1, 8)
    assert only_file(tmp_path / "own").exists()
    monkeypatch.delenv("DYSAMPLE_CACHE")
    load_scenes("train", 1, 8)
    assert only_file(tmp_path / "xdg" / "dysample").exists()
    monkeypatch.delenv("XDG_CACHE_HOME")
    load_scenes("train", 1, 8)
    assert only_file(tmp_path / "home" / ".cache" / "dysample").exists()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"split": "test"}, ValueError, r"`split` \(='test'\) must be 'train' or 'val'"),
        ({"split": ["val"]}, ValueError, r"`split` \(=\['val'\]\) must be 'train' or 'val'"),
        ({"count": 0}, ValueError, r"`count` \(=0\) must be at least 1"),
        ({"count": 1_000_001}, ValueError, r"`count` \(=1000001\) must be at most 1000000"),
        ({"count": 2.5}, TypeError, r"`count` \(=2.5\) must be an integer"),
        ({"size": 0}, ValueError, r"`size` \(=0\) must be at least 8"),
        ({"size": (8, 8)}, TypeError, r"`size` \(=\(8, 8\)\) must be an integer"),
        ({"seed": -1}, ValueError, r"`seed` \(=-1\) must be at least 0"),
        ({"cache": 7}, TypeError, r"`cache` \(=7\) must be a path"),
    ],
)
def test_wrong_arguments_are_refused(tmp_path, arguments, error, message):
    with refused(message, error):
        load_scenes(**({"split": "train", "count": 1, "size": 8, "cache": tmp_path} | arguments))
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_names_the_variable(tmp_path, monkeypatch) -> None:
    (tmp_path / "file").touch()
    for variable, value in (
        ("DYSAMPLE_CACHE", tmp_path / "file"),
        ("XDG_CACHE_HOME", tmp_path / "file" / "x"),
        ("HOME", "/proc/nowhere"),
    ):
        with monkeypatch.context() as patch:
            patch.delenv("DYSAMPLE_CACHE", raising=False)
            patch.delenv("XDG_CACHE_HOME", raising=False)
            patch.setenv(variable, str(value))
            with refused("`DYSAMPLE_CACHE` must name a folder", OSError) as caught:
                load_scenes("train", 1, 8)
            assert str(value) in str(caught.value)
