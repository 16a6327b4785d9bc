from pathlib import Path

import pytest

from dysample.workbench.data.catalog import open_data
from dysample.workbench.data.counts import count, no_counts
from support.layouts import LAYOUTS


@pytest.mark.parametrize(
    ("name", "pixels", "objects", "labelled"),
    [
        ("voc", {0: 16, 15: 16}, {}, 32),
        ("coco_instance", {}, {0: 1, 1: 1}, 0),
        ("coco_panoptic", {0: 8, 1: 8, 2: 16}, {0: 1, 1: 1, 2: 1}, 32),
        ("kitti", {}, {}, 32),
    ],
)
def test_one_sample(tmp_path: Path, name: str, pixels: dict, objects: dict, labelled: int) -> None:
    data = open_data(f"{name}:{LAYOUTS[name](tmp_path)}", "val")
    found = count(data, data[0][1])
    assert {i: n for i, n in enumerate(found.pixels.tolist()) if n} == pixels
    assert {i: n for i, n in enumerate(found.objects.tolist()) if n} == objects
    assert found.labelled == labelled
    if name == "kitti":
        assert (found.nearest, found.farthest) == (1, 78.125)


def test_sums(tmp_path: Path) -> None:
    data = open_data(f"nyu:{LAYOUTS['nyu'](tmp_path)}", "val")
    one = count(data, data[0][1])
    unknown = count(data, 0 * data[0][1])
    further = count(data, 2 * data[0][1])
    for order in ((one, further, unknown), (unknown, further, one)):
        every = sum(order, no_counts(data))
        assert every.labelled == 64
        assert (every.nearest, every.farthest) == (one.nearest, further.farthest)
    assert unknown.nearest == float("inf")
