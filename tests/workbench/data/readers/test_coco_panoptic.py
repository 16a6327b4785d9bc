import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dysample.workbench.data.catalog import open_data
from support import layouts
from support.refusals import refused

MAP = "annotations/panoptic_val2017/000000000007.png"


def test_segments(tmp_path: Path) -> None:
    data = open_data(f"coco_panoptic:{layouts.coco_panoptic(tmp_path)}", "val")
    assert data.classes.names == ("car", "cat", "sky")
    assert data.classes.things == {0, 1}
    assert data.classes.palette == ((200, 0, 0), (0, 200, 0), (0, 0, 200))
    _, target = data[0]
    assert target["image_id"] == 7
    names = [data.classes.names[i] for i in target["categories"]]
    assert dict(zip(names, target["isthing"].tolist())) == {"sky": False, "cat": True, "car": True}
    assert dict(zip(names, target["iscrowd"].tolist())) == {"sky": 0, "cat": 0, "car": 1}
    shown = [["void", *names][i + 1] for i in target["segments"][:, 0]]
    assert shown == ["void", "void", "sky", "sky", "cat", "cat"]
    assert names[target["segments"][5, 7]] == "car"


def test_segment_that_the_file_does_not_list(tmp_path: Path) -> None:
    layouts.coco_panoptic(tmp_path)
    colours = np.zeros((6, 8, 3), np.uint8)
    colours[0, 0] = (1, 2, 0)
    layouts.write_png(tmp_path / MAP, colours)
    with refused(r"07.png holds segment 513, which is not in the JSON"):
        open_data(f"coco_panoptic:{tmp_path}", "val")[0]


def test_segment_that_the_map_does_not_show(tmp_path: Path) -> None:
    layouts.coco_panoptic(tmp_path)
    layouts.write_png(tmp_path / MAP, np.zeros((6, 8, 3)))
    with refused(r"07.png must hold segment 5 of the JSON file"):
        open_data(f"coco_panoptic:{tmp_path}", "val")[0]


def test_segment_without_a_category(tmp_path: Path) -> None:
    layouts.coco_panoptic(tmp_path)
    path = (tmp_path / MAP).parent.with_suffix(".json")
    path.write_text(path.read_text().replace('"category_id"', '"category"'))
    with refused(r"json: segments_info of .*07.png\[0\] must hold `category_id`"):
        open_data(f"coco_panoptic:{tmp_path}", "val")


def test_category_of_which_nobody_says_what_it_is(tmp_path: Path) -> None:
    layouts.coco_panoptic(tmp_path)
    path = (tmp_path / MAP).parent.with_suffix(".json")
    path.write_text(path.read_text().replace('"isthing": 0, ', ""))
    with refused(r"categories\[\d\] must hold `isthing`"):
        open_data(f"coco_panoptic:{tmp_path}", "val")


def test_map_that_is_not_rgb(tmp_path: Path) -> None:
    layouts.coco_panoptic(tmp_path)
    layouts.write_png(tmp_path / MAP, layouts.rows(0))
    with refused(r"07.png must be an RGB image of 8 bits a channel, but is L"):
        open_data(f"coco_panoptic:{tmp_path}", "val")[0]


def change(folder: Path, edit: Callable[[dict[str, Any]], Any]) -> Path:
    """Edit the validation split's file, and return it."""
    layouts.coco_panoptic(folder)
    path = (folder / MAP).parent.with_suffix(".json")
    content = json.loads(path.read_text())
    edit(content)
    layouts.write_json(path, content)
    return path


def segment(**changes: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda content: content["annotations"][0]["segments_info"][1].update(changes)


def entry(**changes: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda content: content["annotations"][0].update(changes)


def category(**changes: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda content: content["categories"][0].update(changes)


def twice(content: dict[str, Any], **changes: Any) -> None:
    content["images"].append({"id": 8, "file_name": "000000000008.jpg"})
    content["annotations"].append({**content["annotations"][0], **changes})


SEGMENT = r"segments_info of 000000000007.png\[1\]"


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (segment(id=None), rf"{SEGMENT}: `id` \(=None\) must be an integer"),
        (segment(id="5"), rf"{SEGMENT}: `id` \(='5'\) must be an integer"),
        (segment(id=0), rf"{SEGMENT}: `id` \(=0\) must be an integer from 1 to 256\^3 - 1"),
        (segment(id=-5), rf"{SEGMENT}: `id` \(=-5\) must be an integer from 1"),
        (segment(id=256**3), rf"{SEGMENT}: `id` \(=16777216\) must be an integer from 1"),
        (segment(id=True), rf"{SEGMENT}: `id` \(=True\) must be an integer"),
        (segment(id=5.0), rf"{SEGMENT}: `id` \(=5.0\) must be an integer"),
        (
            segment(id=196608),
            rf"{SEGMENT}: `id` \(=196608\) must be another one than that of .*07.png\[0\]",
        ),
        (segment(iscrowd=None), rf"{SEGMENT}: `iscrowd` \(=None\) must be 0 or 1"),
        (segment(iscrowd="0"), rf"{SEGMENT}: `iscrowd` \(='0'\) must be 0 or 1"),
        (segment(category_id=4), rf"{SEGMENT}: `category_id` \(=4\) must be listed in `cat"),
        (segment(category_id=[4]), rf"{SEGMENT}: `category_id` \(=\[4\]\) must be an integer"),
        (entry(segments_info=None), r"annotations\[0\]: `segments_info` \(=None\) must be a list"),
        (entry(segments_info=[7]), r"segments_info of 000000000007.png\[0\] must hold `cat"),
        (entry(file_name=None), r"annotations\[0\]: `file_name` \(=None\) must be the name of a"),
        (entry(file_name="../a.png"), r"annotations\[0\]: `file_name` \(='../a.png'\) must be"),
        (entry(image_id=None), r"annotations\[0\]: `image_id` \(=None\) must be an integer"),
        (
            lambda content: twice(content, file_name="other.png"),
            r"annotations\[1\]: `image_id` \(=7\) must be another one than that of",
        ),
        (
            lambda content: twice(content, image_id=8),
            r"annotations\[1\]: `file_name` \(='0*7.png'\) must be another one than that of annot",
        ),
        (category(isthing=None), r"categories\[0\]: `isthing` \(=None\) must be 0 or 1"),
        (
            category(color="red"),
            r"categories\[0\]: `color` \(='red'\) must be three integers from 0 to 255",
        ),
    ],
)
def test_values_that_are_wrong(tmp_path: Path, edit: Callable, message: str) -> None:
    path = change(tmp_path, edit)
    with refused(rf"^annotation file {path}: {message}"):
        open_data(f"coco_panoptic:{tmp_path}", "val")


def test_size_that_is_not_the_files(tmp_path: Path) -> None:
    change(tmp_path, lambda content: content["images"][0].update(width=6, height=8))
    with refused(r"json: image .*07.jpg: `width`, `height` \(=6, 8\) must be those of its"):
        open_data(f"coco_panoptic:{tmp_path}", "val")[0]


def test_images_without_segments_are_counted(tmp_path: Path) -> None:
    path = change(
        tmp_path, lambda content: content["images"].append({"id": 3, "file_name": "b.jpg"})
    )
    data = open_data(f"coco_panoptic:{tmp_path}", "val")
    assert len(data) == 1
    assert data.notes == (f"skipped in {path}, images without segments: 1 (b.jpg)",)
