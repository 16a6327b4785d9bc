"""What holds for every layout."""

import pickle
import re
from pathlib import Path

import pytest
import torch
from torchvision.tv_tensors import Image

from dysample.workbench.data.catalog import READERS, find_reader, open_data, open_splits
from support import layouts
from support.layouts import LAYOUTS
from support.refusals import refused

HANDBOOK = Path(__file__).parents[3] / "docs" / "data.md"


@pytest.fixture(params=sorted(LAYOUTS))
def name(request: pytest.FixtureRequest) -> str:
    return request.param


def test_every_reader_is_tested_and_documented() -> None:
    assert set(READERS) == set(LAYOUTS)
    documented = re.findall(r"^\| `(\w+)` \| (\w+) \|", HANDBOOK.read_text(), re.MULTILINE)
    assert sorted(documented) == sorted((r.name, r.kind) for r in READERS.values())


def test_samples_have_the_form_of_their_kind(tmp_path: Path, name: str) -> None:
    for split in ("train", "val"):
        data = open_data(f"{name}:{LAYOUTS[name](tmp_path / split)}", split)
        assert (data.name, data.kind, data.split) == (name, READERS[name].kind, split)
        assert len(data) > 0
        for image, target in data:
            assert isinstance(image, Image)
            assert (image.shape, image.dtype) == ((3, 6, 8), torch.uint8)
            assert image[0, :, 7].min() > image[0, :, 0].max() + 100  # red grows to the right
            assert image[1, 5].min() > image[1, 0].max() + 100  # green downwards
            if data.kind in ("semantic", "depth"):
                kind = torch.int64 if data.kind == "semantic" else torch.float32
                assert (target.shape, target.dtype) == ((6, 8), kind)
            elif data.kind == "panoptic":
                assert target["segments"].shape == (6, 8)
                assert target["segments"].dtype == target["categories"].dtype == torch.int64
                assert target["isthing"].dtype == torch.bool
            else:
                count = len(target["labels"])
                assert (target["boxes"].shape, target["boxes"].dtype) == ((count, 4), torch.float32)
                assert target["labels"].dtype == target["iscrowd"].dtype == torch.int64
                assert target["area"].dtype == torch.float32
                assert ("masks" in target) == (data.kind == "instance")


def test_workers_can_be_given_the_data(tmp_path: Path, name: str) -> None:
    data = open_data(f"{name}:{LAYOUTS[name](tmp_path)}", "train")
    again = pickle.loads(pickle.dumps(data))
    assert torch.equal(again[0][0], data[0][0])


def test_missing_annotation_and_image(tmp_path: Path, name: str) -> None:
    """Those are problems of one sample: found by a scan, not when the split is opened."""
    folder = LAYOUTS[name](tmp_path)
    item = open_data(f"{name}:{folder}", "train").items[0]
    annotation = item.annotation[0] if name == "coco_panoptic" else item.annotation
    for path in [item.image] + [annotation] * isinstance(annotation, Path):
        if path == item.image and name in (
            "ade20k",
            "binary",
            "camvid",
            "cityscapes",
            "folders",
            "folders_depth",
            "folders_instance",
            "pennfudan",
        ):
            continue  # images are what the folder is listed by
        if path == annotation and name in ("nyu", "kitti"):
            continue  # depth maps are
        aside = path.rename(path.with_name("aside"))
        data = open_data(f"{name}:{folder}", "train")
        with refused(rf"{path.name} does not exist", FileNotFoundError):
            data[0]
        aside.rename(path)


def test_annotation_of_another_size(tmp_path: Path, name: str) -> None:
    folder = LAYOUTS[name](tmp_path)
    data = open_data(f"{name}:{folder}", "train")
    if name.startswith("coco_") and name != "coco_panoptic":
        return  # a polygon has no size; run lengths have a test of their own
    layouts.write_image(data.items[0].image, 12, 16)
    with refused(r"annotation .* must be of its image's size 16x12, but is"):
        data[0]


def test_one_split_alone(tmp_path: Path, name: str) -> None:
    if name == "pennfudan":
        return  # both splits are in one folder
    folder = LAYOUTS[name](tmp_path)
    assert [data.split for data in open_splits(f"{name}:{folder}")] == ["train", "val"]
    with refused(rf"^{name}: .* expected ", FileNotFoundError):
        open_splits(f"{name}:{tmp_path.parent}")


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (
            "voc",
            ValueError,
            r"`data` \(='voc'\) must be NAME:PATH, NAME one of ade20k, binary, camvid,",
        ),
        (
            "vok:/",
            ValueError,
            r"`data` \(='vok:/'\) must start with one of ade20k, binary, camvid, ",
        ),
        ("voc:/no/such", FileNotFoundError, r"folder /no/such does not exist"),
    ],
)
def test_wrong_names(data: str, error: type, message: str) -> None:
    with refused(message, error):
        find_reader(data)


def test_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    layouts.camvid(tmp_path / "streets")
    assert find_reader("camvid:~/streets")[1] == tmp_path / "streets"


def test_unknown_split(tmp_path: Path) -> None:
    with refused(r"`split` \(='test'\) must be 'train' or 'val'"):
        open_data(f"voc:{tmp_path}", "test")


def test_a_missing_split_is_passed_over(tmp_path: Path) -> None:
    folder = layouts.camvid(tmp_path)
    (folder / "train").rename(folder / "aside")
    assert [data.split for data in open_splits(f"camvid:{folder}")] == ["val"]


def test_a_broken_split_is_not(tmp_path: Path) -> None:
    folder = layouts.camvid(tmp_path)
    (folder / "trainannot").rename(folder / "aside")
    with refused(r"folder .*trainannot does not exist", FileNotFoundError):
        open_splits(f"camvid:{folder}")
