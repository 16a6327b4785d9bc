from pathlib import Path

import pytest

import layouts
from dysample.workbench.data.coco_json import CocoFile

GOOD = {
    "images": [{"id": 2, "file_name": "b"}, {"id": 1, "file_name": "a"}],
    "categories": [{"id": 5, "name": "x"}],
    "annotations": [{"image_id": 2, "bbox": 0}, {"image_id": 2, "bbox": 1}],
}


def test_sorted_and_grouped(tmp_path: Path) -> None:
    layouts.write_json(tmp_path / "f.json", GOOD)
    file = CocoFile(tmp_path / "f.json")
    assert [entry["id"] for entry in file.images] == [1, 2]
    grouped = file.annotations("bbox")
    assert [entry["bbox"] for entry in grouped[2]] == [0, 1]
    assert grouped[1] == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "must hold a list `images`"),
        ({**GOOD, "images": 3}, "must hold a list `images`"),
        ({**GOOD, "images": [{"id": 1}]}, r"images\[0\] must hold `file_name`"),
        ({**GOOD, "categories": [{"name": "x"}]}, r"categories\[0\] must hold `id`"),
        ({**GOOD, "annotations": [{"image_id": 1}]}, r"annotations\[0\] must hold `bbox`"),
        ({**GOOD, "annotations": ["x"]}, r"annotations\[0\] must hold `image_id`"),
    ],
)
def test_not_a_coco_file(tmp_path: Path, content: object, message: str) -> None:
    layouts.write_json(tmp_path / "f.json", content)
    with pytest.raises(ValueError, match=rf"annotation file .*f.json: {message}"):
        CocoFile(tmp_path / "f.json").annotations("bbox")


def test_not_json(tmp_path: Path) -> None:
    (tmp_path / "f.json").write_text('{"images": [')
    with pytest.raises(ValueError, match=r"annotation file .*f.json is not JSON: "):
        CocoFile(tmp_path / "f.json")
