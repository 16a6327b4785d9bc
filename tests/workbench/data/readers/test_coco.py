import io
import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from faster_coco_eval.core import mask as rle
from PIL import Image
from rich.console import Console

from dysample.workbench.data.catalog import open_data
from dysample.workbench.data.readers import coco
from dysample.workbench.data.scan import scan
from dysample.workbench.training.prepare import prepare
from support import layouts
from support.refusals import refused

MISSING = object()


def change(folder: Path, image: dict[str, Any] | None = None, **entries: Any) -> None:
    """Change the first annotation of the validation split; leave out what is `MISSING`."""
    objects = layouts.coco_objects()
    objects[0].update(entries)
    objects[0] = {key: value for key, value in objects[0].items() if value is not MISSING}
    images = [{"id": 7, "file_name": "000000000007.jpg", **(image or {})}]
    content = {"images": images, "categories": layouts.CATEGORIES[1:], "annotations": objects}
    layouts.write_json(folder / "annotations" / "instances_val2017.json", content)


def test_objects(tmp_path: Path) -> None:
    data = open_data(f"coco_instance:{layouts.coco_instances(tmp_path)}", "val")
    assert data.classes.names == ("car", "cat")
    assert [item.image_id for item in data.items] == [7, 9]
    _, target = data[0]
    # A box of no width is left out, and said to be.
    path = tmp_path / "annotations" / "instances_val2017.json"
    assert data.notes == (f"skipped in {path}, boxes without width or height: 1 (annotation 3)",)
    assert target["boxes"].tolist() == [[1, 2, 5, 5], [6, 0, 8, 6]]
    assert [data.classes.names[i - 1] for i in target["labels"]] == ["cat", "car"]
    assert target["iscrowd"].tolist() == [0, 1]
    assert target["area"].tolist() == [12, 12]
    assert target["image_id"] == 7
    expected = torch.zeros(2, 6, 8, dtype=torch.uint8)
    expected[0, 2:5, 1:5] = 1  # of a polygon
    expected[1, :, 6:] = 1  # of run lengths
    assert torch.equal(target["masks"], expected)


def test_packed_run_lengths(tmp_path: Path) -> None:
    layouts.coco_instances(tmp_path)
    mask = np.random.default_rng(0).integers(0, 2, (6, 8), np.uint8)
    packed = rle.encode(np.asfortranarray(mask))
    change(tmp_path, segmentation={"size": [6, 8], "counts": packed["counts"].decode()})
    _, target = open_data(f"coco_instance:{tmp_path}", "val")[0]
    assert torch.equal(target["masks"][0].as_subclass(torch.Tensor), torch.from_numpy(mask))


def test_mask_of_two_polygons(tmp_path: Path) -> None:
    layouts.coco_instances(tmp_path)
    change(tmp_path, segmentation=[[0, 0, 2, 0, 2, 2, 0, 2], [4, 4, 6, 4, 6, 6, 4, 6]])
    _, target = open_data(f"coco_instance:{tmp_path}", "val")[0]
    expected = torch.zeros(6, 8, dtype=torch.uint8)
    expected[:2, :2] = expected[4:, 4:6] = 1
    assert torch.equal(target["masks"][0].as_subclass(torch.Tensor), expected)


def test_image_without_objects(tmp_path: Path) -> None:
    _, target = open_data(f"coco_instance:{layouts.coco_instances(tmp_path)}", "train")[1]
    assert target["boxes"].shape == (0, 4)
    assert target["masks"].shape == (0, 6, 8)


def test_boxes_alone(tmp_path: Path) -> None:
    layouts.coco_instances(tmp_path)
    change(tmp_path, segmentation=[])
    _, target = open_data(f"coco_detection:{tmp_path}", "val")[0]
    assert "masks" not in target
    assert target["boxes"].tolist() == [[1, 2, 5, 5], [6, 0, 8, 6]]
    with refused(
        r"val2017.json: annotation 1 of image .*07.jpg: `segmentation` \(=\[\]\) must hold"
        r" points; `coco_detection` reads boxes alone"
    ):
        open_data(f"coco_instance:{tmp_path}", "val")[0]


NUMBERS = "must be x, y, width, height: four finite numbers up to 16777216, sides not negative"


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"category_id": 4}, r"`category_id` \(=4\) must be listed in `categories`"),
        ({"category_id": "17"}, r"`category_id` \(='17'\) must be an integer"),
        ({"category_id": None}, r"`category_id` \(=None\) must be an integer"),
        ({"area": None}, r"`area` \(=None\) must be a finite number, not negative"),
        ({"area": float("nan")}, r"`area` \(=nan\) must be a finite number, not negative"),
        ({"area": float("inf")}, r"`area` \(=inf\) must be a finite number, not negative"),
        ({"area": -1}, r"`area` \(=-1\) must be a finite number, not negative"),
        ({"area": "12"}, r"`area` \(='12'\) must be a finite number, not negative"),
        ({"area": True}, r"`area` \(=True\) must be a finite number, not negative"),
        ({"bbox": 7}, rf"`bbox` \(=7\) {NUMBERS}"),
        ({"bbox": None}, rf"`bbox` \(=None\) {NUMBERS}"),
        ({"bbox": [1, 2, 3]}, rf"`bbox` \(=\[1, 2, 3\]\) {NUMBERS}"),
        ({"bbox": [1, 2, 3, 4, 5]}, rf"`bbox` \(=.*\) {NUMBERS}"),
        ({"bbox": [1, 2, 3, "4"]}, rf"`bbox` \(=.*\) {NUMBERS}"),
        ({"bbox": [1, 2, 3, None]}, rf"`bbox` \(=.*\) {NUMBERS}"),
        ({"bbox": [True, 2, 3, 4]}, rf"`bbox` \(=\[True, 2, 3, 4\]\) {NUMBERS}"),
        ({"bbox": [[1], 2, 3, 4]}, rf"`bbox` \(=.*\) {NUMBERS}"),
        ({"bbox": "1 2 3 4"}, rf"`bbox` \(='1 2 3 4'\) {NUMBERS}"),
        ({"bbox": {"x": 1, "y": 2, "w": 3, "h": 4}}, rf"`bbox` \(=.*\) {NUMBERS}"),
        ({"bbox": [float("nan"), 2, 3, 4]}, rf"`bbox` \(=\[nan, 2, 3, 4\]\) {NUMBERS}"),
        ({"bbox": [1, 2, float("inf"), 4]}, rf"`bbox` \(=\[1, 2, inf, 4\]\) {NUMBERS}"),
        ({"bbox": [1, 2, 3, 1e30]}, rf"`bbox` \(=\[1, 2, 3, 1e\+30\]\) {NUMBERS}"),
        ({"bbox": [1, 2, 3, 10**400]}, rf"`bbox` \(=.*\) {NUMBERS}"),
        ({"bbox": [1, 2, -3, 4]}, rf"`bbox` \(=\[1, 2, -3, 4\]\) {NUMBERS}"),
        ({"bbox": MISSING}, "must hold `bbox`"),
        ({"iscrowd": None}, r"`iscrowd` \(=None\) must be 0 or 1"),
        ({"iscrowd": "0"}, r"`iscrowd` \(='0'\) must be 0 or 1"),
        ({"iscrowd": []}, r"`iscrowd` \(=\[\]\) must be 0 or 1"),
        ({"iscrowd": 2}, r"`iscrowd` \(=2\) must be 0 or 1"),
        ({"iscrowd": -1}, r"`iscrowd` \(=-1\) must be 0 or 1"),
        ({"iscrowd": float("nan")}, r"`iscrowd` \(=nan\) must be 0 or 1"),
        ({"segmentation": MISSING}, "must hold `segmentation`"),
    ],
)
def test_values_that_are_wrong(tmp_path: Path, entries: dict, message: str) -> None:
    layouts.coco_instances(tmp_path)
    change(tmp_path, **entries)
    start = r"annotation file .*instances_val2017.json: annotation 1 of image 000000000007.jpg"
    with refused(rf"^{start}:? {message}"):
        open_data(f"coco_instance:{tmp_path}", "val")


@pytest.mark.parametrize(
    ("flag", "expected"), [(False, 0), (True, 1), (0.0, 0), (1.0, 1), (MISSING, 0)]
)
def test_other_ways_to_write_a_flag(tmp_path: Path, flag: Any, expected: int) -> None:
    layouts.coco_instances(tmp_path)
    change(tmp_path, iscrowd=flag)
    _, target = open_data(f"coco_detection:{tmp_path}", "val")[0]
    assert target["iscrowd"].tolist() == [expected, 1]


@pytest.mark.parametrize(("name", "area"), [("coco_instance", 8.0), ("coco_detection", 12.0)])
def test_missing_area(tmp_path: Path, name: str, area: float) -> None:
    """That of the mask, where masks are read, otherwise that of the box."""
    layouts.coco_instances(tmp_path)
    polygon = [[1, 2, 5, 2, 5, 4, 1, 4]]
    change(tmp_path, area=MISSING, bbox=[1, 2, 4, 3], segmentation=polygon)
    _, target = open_data(f"{name}:{tmp_path}", "val")[0]
    assert target["area"].tolist() == [area, 12]


@pytest.mark.parametrize("name", ["coco_instance", "coco_detection"])
@pytest.mark.parametrize("box", [[8, 0, 3, 3], [-3, 0, 3, 3], [0, 6, 3, 3], [0, -9, 3, 3]])
def test_box_outside_of_the_image(tmp_path: Path, box: list[int], name: str) -> None:
    layouts.coco_instances(tmp_path)
    change(tmp_path, bbox=box)
    with refused(
        r"json: annotation 1 of image .*07.jpg: `bbox` \(=.*\) must lie in the image, 8x6"
    ):
        open_data(f"{name}:{tmp_path}", "val")[0]


def test_box_that_reaches_beyond_the_image(tmp_path: Path) -> None:
    layouts.coco_instances(tmp_path)
    change(tmp_path, bbox=[-2, -1, 4, 30.5])
    _, target = open_data(f"coco_detection:{tmp_path}", "val")[0]
    assert target["boxes"][0].tolist() == [-2, -1, 2, 29.5]


@pytest.mark.parametrize("name", ["coco_instance", "coco_detection"])
def test_size_that_is_not_the_files(tmp_path: Path, name: str) -> None:
    """Masks would be drawn at another place."""
    layouts.coco_instances(tmp_path)
    change(tmp_path, {"width": 6, "height": 8})
    with refused(
        r"val2017.json: image .*07.jpg: `width`, `height` \(=6, 8\) must be those of its"
        r" file, 8, 6$"
    ):
        open_data(f"{name}:{tmp_path}", "val")[0]


def test_noted_orientation_is_applied_where_the_sizes_say_so(tmp_path: Path) -> None:
    """A photograph stored on its side, annotated as people see it."""
    folder = layouts.coco_instances(tmp_path)
    path = folder / "val2017" / "000000000007.jpg"
    upright = np.zeros((8, 6, 3), np.uint8)
    upright[:2] = 255  # bright above
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter, clockwise
    Image.fromarray(np.rot90(upright).copy()).save(path, quality=95, subsampling=0, exif=exif)
    above = [[0, 0, 6, 0, 6, 2, 0, 2]]
    change(tmp_path, {"width": 6, "height": 8}, bbox=[0, 0, 6, 2], segmentation=above)
    objects = json.loads((folder / "annotations" / "instances_val2017.json").read_text())
    objects["annotations"] = objects["annotations"][:1]
    layouts.write_json(folder / "annotations" / "instances_val2017.json", objects)
    data = open_data(f"coco_instance:{folder}", "val")
    assert scan(data, Console(file=io.StringIO())).problems == {}
    image, target = data[0]
    assert image.shape == (3, 8, 6)
    bright = image.float().mean(0) > 128
    assert torch.equal(bright, target["masks"][0].as_subclass(torch.Tensor) > 0)
    # Sizes as the pixels are stored: so are the annotations.
    objects["images"][0].update(width=8, height=6)
    objects["annotations"][0].update(bbox=[0, 0, 2, 6], segmentation=[[0, 0, 2, 0, 2, 6, 0, 6]])
    layouts.write_json(folder / "annotations" / "instances_val2017.json", objects)
    image, target = open_data(f"coco_instance:{folder}", "val")[0]
    assert image.shape == (3, 6, 8)
    assert torch.equal(
        image.float().mean(0) > 128, target["masks"][0].as_subclass(torch.Tensor) > 0
    )


@pytest.mark.parametrize("segmentation", [[[[4, 4], [5, 5]]], 7, {"size": [6, 8]}, [[1, 2, 3]]])
def test_wrong_mask_names_file_key_rule_and_value(tmp_path: Path, segmentation: Any) -> None:
    """What masks must be: test_coco_masks.py."""
    layouts.coco_instances(tmp_path)
    change(tmp_path, segmentation=segmentation)
    data = open_data(f"coco_instance:{tmp_path}", "val")
    message = (
        r"annotation file .*instances_val2017.json: annotation 1 of image 000000000007.jpg:"
        r" `segmentation` \(=.*\) must "
    )
    with refused(message):
        data[0]
    problems = scan(data, Console(file=io.StringIO())).problems
    assert list(problems) == [0]
    assert re.match(message, problems[0])
    assert "masks" not in open_data(f"coco_detection:{tmp_path}", "val")[0][1]


def test_deeply_nested_mask(tmp_path: Path) -> None:
    """Less deep than what JSON's reader refuses."""
    layouts.coco_instances(tmp_path)
    deep: Any = 1
    for _ in range(sys.getrecursionlimit() - 200):
        deep = [deep]
    change(tmp_path, segmentation=deep)
    with refused(r"instances_val2017.json.*(nested too deeply|must be pol)"):
        open_data(f"coco_instance:{tmp_path}", "val")[0]


def test_too_little_memory_for_masks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def decode(*args: Any) -> None:
        raise MemoryError

    data = open_data(f"coco_instance:{layouts.coco_instances(tmp_path)}", "val")
    monkeypatch.setattr(coco, "decode", decode)
    with refused(r"07.jpg cannot be read: there is not enough memory for 2 masks of 8x6"):
        data[0]


def test_wrong_data_are_found_before_training(tmp_path: Path) -> None:
    layouts.coco_instances(tmp_path)
    change(tmp_path, segmentation=[[1, 1, float("nan"), 3, 4, 4]])
    data = f"coco_instance:{tmp_path}"
    with refused(r"1 of 1 samples of coco_instance val cannot be used; the"):
        prepare(data, {}, Console(file=io.StringIO()))
