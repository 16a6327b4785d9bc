"""Every place of a COCO file with every kind of value: samples of the right form, or a line."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from dysample.workbench.data.catalog import open_data
from support import layouts

VALUES: list[Any] = [
    None, True, False, 0, 1, -1, 2.5, 7, 2**31, 2**63, 10**400, float("nan"), float("inf"), 1e300,
    "", "0", "../x", "a\nb\0", [], [[]], [None], [1, 2], {}, {"id": 1}, {"size": [6, 8]}, [[[1]]],
]  # fmt: skip
MISSING = object()
FILES = {
    "coco_detection": "annotations/instances_val2017.json",
    "coco_instance": "annotations/instances_val2017.json",
    "coco_panoptic": "annotations/panoptic_val2017.json",
}


def places(value: Any, path: tuple = ()) -> Iterator[tuple]:
    """The path of each value within a JSON document."""
    yield path
    if isinstance(value, dict | list):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(part, (*path, key))


def changed(document: Any, path: tuple, value: Any) -> Any:
    if not path:
        return value
    document = copy.deepcopy(document)
    part = document
    for key in path[:-1]:
        part = part[key]
    if value is MISSING:
        del part[path[-1]]
    else:
        part[path[-1]] = value
    return document


def outcome(name: str, folder: Path) -> str | None:
    """What is said; None if every sample can be read."""
    try:
        data = open_data(f"{name}:{folder}", "val")
        for image, target in data:
            check_form(data.kind, image, target)
    except (ValueError, FileNotFoundError) as error:
        return str(error)
    return None


def check_form(kind: str, image: torch.Tensor, target: Any) -> None:
    assert isinstance(target["image_id"], int)
    assert set(target["iscrowd"].tolist()) <= {0, 1}
    if kind == "panoptic":
        assert target["segments"].shape == image.shape[1:]
        return
    assert target["boxes"].isfinite().all()
    assert (target["boxes"][:, 2:] > target["boxes"][:, :2]).all()
    assert target["area"].isfinite().all()
    assert (target["area"] >= 0).all()
    if kind == "instance":
        assert target["masks"].shape[1:] == image.shape[1:]


@pytest.mark.parametrize("name", FILES)
def test_every_place_with_every_value(tmp_path: Path, name: str) -> None:
    folder = layouts.LAYOUTS[name](tmp_path)
    path = folder / FILES[name]
    document = json.loads(path.read_text())
    refused = tried = 0
    for place in places(document):
        for value in VALUES + [MISSING] * bool(place):
            path.write_text(json.dumps(changed(document, place, value)))
            message = outcome(name, folder)
            tried += 1
            if message is not None:
                refused += 1
                where = f"{place} = {value!r}: {message}"
                assert "\n" not in message, where
                assert "2017" in message, where  # a file or a folder
                assert len(message) < 500 + len(str(folder)), where
    assert refused > tried / 3
