"""The lists of a COCO file: what is there, once each and of the right kind, or one line."""

import json
from pathlib import Path
from typing import Any

import pytest

from dysample.workbench.data import coco_json
from dysample.workbench.data.coco_json import CocoFile, stated_size
from support import layouts
from support.refusals import refused

GOOD = {
    "images": [{"id": 2, "file_name": "b"}, {"id": 1, "file_name": "a", "height": 3, "width": 4}],
    "categories": [{"id": 5, "name": "x"}],
    "annotations": [{"image_id": 2, "bbox": 0}, {"image_id": 2, "bbox": 1}],
}
DEEP = "[" * 100_000 + "]" * 100_000


def read(folder: Path, **content: Any) -> CocoFile:
    layouts.write_json(folder / "f.json", {**GOOD, **content})
    file = CocoFile(folder / "f.json")
    file.annotations()
    return file


def test_sorted_and_grouped(tmp_path: Path) -> None:
    file = read(tmp_path)
    assert [entry["id"] for entry in file.images] == [1, 2]
    assert list(map(stated_size, file.images)) == [(3, 4), None]
    grouped = file.annotations()
    assert [entry["bbox"] for entry in grouped[2]] == [0, 1]
    assert grouped[1] == []
    file.check(grouped[2][0], "here", ("image_id",))
    with refused(r"f.json: here must hold `area`"):
        file.check(grouped[2][0], "here", ("area",))


def images(**change: Any) -> dict[str, Any]:
    return {"images": [GOOD["images"][0], {"id": 1, "file_name": "a", **change}]}


def category(*others: dict[str, Any], **change: Any) -> dict[str, Any]:
    return {"categories": [{"id": 5, "name": "x", **change}, *others]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"images": 3}, "must hold a list `images`"),
        ({"annotations": None}, "must hold a list `annotations`"),
        ({"images": [{"id": 1}]}, r"images\[0\] must hold `file_name`"),
        ({"categories": [{"name": "x"}]}, r"categories\[0\] must hold `id`"),
        ({"categories": []}, r"`categories` \(=\[\]\) must hold one at least"),
        ({"annotations": ["x"]}, r"annotations\[0\] must hold `image_id`"),
        ({"annotations": [{"image_id": 8}]}, r"annotations\[0\]: `image_id` \(=8\) must be listed"),
        ({"annotations": [{"image_id": [2]}]}, r"\[0\]: `image_id` \(=\[2\]\) must be an integer"),
        ({"annotations": [{"image_id": "2"}]}, r"\[0\]: `image_id` \(='2'\) must be an integer"),
        (images(id="1"), r"images\[1\]: `id` \(='1'\) must be an integer"),
        (images(id=None), r"images\[1\]: `id` \(=None\) must be an integer"),
        (images(id=True), r"images\[1\]: `id` \(=True\) must be an integer"),
        (images(id=1.5), r"images\[1\]: `id` \(=1.5\) must be an integer"),
        (images(id=2), r"images\[1\]: `id` \(=2\) must be another one than that of images\[0\]"),
        (images(file_name="b"), r"images\[1\]: `file_name` \(='b'\) must be another one than that"),
        (images(file_name=7), r"images\[1\]: `file_name` \(=7\) must be the name of a file below"),
        (images(file_name=" "), r"images\[1\]: `file_name` \(=' '\) must be the name of a file"),
        (images(file_name="/etc/passwd"), r"`file_name` \(='/etc/passwd'\) must be the name of"),
        (images(file_name="../../a"), r"`file_name` \(='../../a'\) must be the name of a file"),
        (images(file_name="a\0b"), r"`file_name` \(='a\\x00b'\) must be the name of a file"),
        (images(width=4), r"images\[1\] must hold both `height` and `width`, or neither"),
        (images(width=4, height=0), r"images\[1\]: `height` \(=0\) must be a positive integer"),
        (images(width=-4, height=3), r"images\[1\]: `width` \(=-4\) must be a positive integer"),
        (images(width="4", height=3), r"images\[1\]: `width` \(='4'\) must be a positive integer"),
        (images(width=None, height=3), r"images\[1\]: `width` \(=None\) must be a positive"),
        (images(width=4.5, height=3), r"images\[1\]: `width` \(=4.5\) must be a positive integer"),
        (category(name=7), r"categories\[0\]: `name` \(=7\) must be text of one line"),
        (category(name=None), r"categories\[0\]: `name` \(=None\) must be text of one line"),
        (category(name=["x"]), r"categories\[0\]: `name` \(=\['x'\]\) must be text of one line"),
        (category(name="a\nb"), r"`name` \(='a\\nb'\) must be text of one line"),
        (category(name="\x1b[31m"), r"`name` \(='\\x1b\[31m'\) must be text of on"),
        (category(name="\ud800"), r"`name` \(='\\ud800'\) must be text of one li"),
        (images(file_name="x" * 300), r"`file_name` \(='x+...x+'\) must be the name of a file"),
        (category(name=""), r"categories\[0\]: `name` \(=''\) must be text of one line"),
        (
            category({"id": 5, "name": "y"}),
            r"categories\[1\]: `id` \(=5\) must be another one than that of categories\[0\]",
        ),
        (
            category({"id": 6, "name": "x"}),
            r"categories\[1\]: `name` \(='x'\) must be another one than that of categories\[0\]",
        ),
        (category(id="5"), r"categories\[0\]: `id` \(='5'\) must be an integer"),
        (category(color=3), r"\[0\]: `color` \(=3\) must be three int"),
        (
            category(color=[0, 0, 256]),
            r"\[0\]: `color` \(=\[0, 0, 256\]\) must be three integers from 0 to 255",
        ),
        (category(isthing="0"), r"\[0\]: `isthing` \(='0'\) must be 0 or 1"),
    ],
)
def test_lists_that_are_wrong(tmp_path: Path, content: dict[str, Any], message: str) -> None:
    with refused(rf"annotation file .*f.json: .*{message}") as caught:
        read(tmp_path, **content)
    assert len(str(caught.value)) < 300 + len(str(tmp_path))


def test_long_and_deep_values_are_shortened(tmp_path: Path) -> None:
    """A message is a line whatever is in the file."""
    deep: Any = "x"
    for _ in range(300):
        deep = [deep]
    for value in (deep, ["x"] * 10**5, "x" * 10**5, {str(i): i for i in range(10**4)}, "a\n\tb"):
        with refused(r"images\[1\]: `id` \(=.*\) must be an integer") as caught:
            read(tmp_path, **images(id=value))
        assert len(str(caught.value)) < 300 + len(str(tmp_path))


@pytest.mark.parametrize("content", [[], "x", 7, None, True])
def test_not_a_coco_file(tmp_path: Path, content: Any) -> None:
    layouts.write_json(tmp_path / "f.json", content)
    with refused(r"annotation file .*f.json: must hold a list `images`"):
        CocoFile(tmp_path / "f.json")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b'{"images": [', "f.json is not JSON: "),
        (b"", "f.json is not JSON: "),
        (b"\xff\xfe\xfd", "f.json is not JSON: "),
        (DEEP.encode(), "f.json is nested too deeply to be read"),
        (b'{"images": ' + DEEP.encode() + b"}", "f.json is nested too deeply to be read"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "f.json is nested too deeply to be read"),
    ],
)
def test_not_json(tmp_path: Path, text: bytes, message: str) -> None:
    (tmp_path / "f.json").write_bytes(text)
    with refused(rf"annotation file .*{message}"):
        CocoFile(tmp_path / "f.json")


def test_text_in_other_encodings(tmp_path: Path) -> None:
    text = json.dumps({**GOOD, "categories": [{"id": 5, "name": "Straße"}]}, ensure_ascii=False)
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        (tmp_path / "f.json").write_text(text, encoding=encoding)
        assert CocoFile(tmp_path / "f.json").categories[0]["name"] == "Straße"


def test_too_little_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def loads(text: bytes) -> None:
        raise MemoryError

    monkeypatch.setattr(coco_json.json, "loads", loads)
    with refused(r"f.json cannot be read: there is not enough memory"):
        read(tmp_path)
