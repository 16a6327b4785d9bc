from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from faster_coco_eval.core import mask as rle

import layouts
from dysample.workbench.data.catalog import open_data


def change(folder: Path, **entries: Any) -> None:
    """Change the first annotation of the validation split."""
    objects = layouts.coco_objects()
    objects[0].update(entries)
    images = [{"id": 7, "file_name": "000000000007.jpg"}]
    content = {"images": images, "categories": layouts.CATEGORIES[1:], "annotations": objects}
    layouts.write_json(folder / "annotations" / "instances_val2017.json", content)


def test_objects(tmp_path: Path) -> None:
    data = open_data(f"coco_instance:{layouts.coco_instances(tmp_path)}", "val")
    assert data.classes.names == ("car", "cat")
    assert [item.image_id for item in data.items] == [7, 9]
    _, target = data[0]
    # A box of no width is left out.
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
    with pytest.raises(
        ValueError, match=r"07.jpg cannot be used: it has no points; `coco_detection`"
    ):
        open_data(f"coco_instance:{tmp_path}", "val")[0]


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"category_id": 4}, r"annotation 1 of .*07.jpg: `category_id` \(=4\) must be listed"),
        ({"area": None}, r"annotation 1 of .*: `area` \(=None\) must be a number"),
        ({"bbox": 7}, r"annotation 1 of .*: `bbox` \(=7\) must be four numbers"),
        ({"bbox": [1, 2, 3]}, r"annotation 1 of .*: `bbox` \(=\[1, 2, 3\]\) must be four numbers"),
        ({"bbox": [1, 2, 3, "4"]}, r"annotation 1 of .*: `bbox` \(=\[1, .*\) must be four numbers"),
        ({"image_id": 8}, r"annotations\[0\]: `image_id` \(=8\) must be listed in `images`"),
    ],
)
def test_unknown_numbers(tmp_path: Path, entries: dict, message: str) -> None:
    layouts.coco_instances(tmp_path)
    change(tmp_path, **entries)
    with pytest.raises(ValueError, match=rf"annotation file .*instances_val2017.json: {message}"):
        open_data(f"coco_instance:{tmp_path}", "val")


@pytest.mark.parametrize(
    ("segmentation", "message"),
    [
        ({"size": [8, 6], "counts": [0, 48]}, "it must be of the image's size 8x6, but is 6x8"),
        ({"size": [6, 8], "counts": [10, 5]}, ""),
        ({"size": [6, 8], "counts": [10, 500]}, ""),
        ({"size": [6, 8], "counts": "52"}, ""),
        ({"size": [6, 8]}, "'counts'"),
        ([["a", "b", "c", "d", "e", "f"]], ""),
        (7, ""),
    ],
)
def test_masks_that_make_no_sense(tmp_path: Path, segmentation: Any, message: str) -> None:
    layouts.coco_instances(tmp_path)
    change(tmp_path, segmentation=segmentation)
    with pytest.raises(ValueError, match=rf"a mask of image .*07.jpg cannot be used: {message}"):
        open_data(f"coco_instance:{tmp_path}", "val")[0]


def test_polygon_of_two_points_covers_nothing(tmp_path: Path) -> None:
    layouts.coco_instances(tmp_path)
    change(tmp_path, segmentation=[[1, 1, 4, 4]])
    _, target = open_data(f"coco_instance:{tmp_path}", "val")[0]
    assert target["masks"][0].sum() == 0
