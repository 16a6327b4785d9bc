from pathlib import Path

import numpy as np
import pytest

import layouts
from dysample.workbench.data.catalog import open_data

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
    with pytest.raises(ValueError, match=r"07.png holds segment 513, which is not in the JSON"):
        open_data(f"coco_panoptic:{tmp_path}", "val")[0]


def test_segment_that_the_map_does_not_show(tmp_path: Path) -> None:
    layouts.coco_panoptic(tmp_path)
    layouts.write_png(tmp_path / MAP, np.zeros((6, 8, 3)))
    with pytest.raises(ValueError, match=r"07.png must hold segment 5 of the JSON file"):
        open_data(f"coco_panoptic:{tmp_path}", "val")[0]


def test_segment_without_a_category(tmp_path: Path) -> None:
    layouts.coco_panoptic(tmp_path)
    path = (tmp_path / MAP).parent.with_suffix(".json")
    path.write_text(path.read_text().replace('"category_id"', '"category"'))
    with pytest.raises(ValueError, match=r"a segment of .*07.png must hold `category_id`"):
        open_data(f"coco_panoptic:{tmp_path}", "val")


def test_category_of_which_nobody_says_what_it_is(tmp_path: Path) -> None:
    layouts.coco_panoptic(tmp_path)
    path = (tmp_path / MAP).parent.with_suffix(".json")
    path.write_text(path.read_text().replace('"isthing": 0, ', ""))
    with pytest.raises(ValueError, match=r"categories\[\d\] must hold `isthing`"):
        open_data(f"coco_panoptic:{tmp_path}", "val")


def test_map_that_is_not_rgb(tmp_path: Path) -> None:
    layouts.coco_panoptic(tmp_path)
    layouts.write_png(tmp_path / MAP, layouts.rows(0))
    with pytest.raises(ValueError, match=r"07.png must be an RGB image, but is L"):
        open_data(f"coco_panoptic:{tmp_path}", "val")[0]
