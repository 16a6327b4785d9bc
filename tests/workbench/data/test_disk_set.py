"""Data sets on disk in memory, for every task; CamVid's own file has the details of one."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dysample.workbench.data.catalog import READERS, open_data
from dysample.workbench.data.disk_set import DiskSet
from dysample.workbench.data.panoptic import semantic_labels
from dysample.workbench.data.sample import SOURCES
from dysample.workbench.tasks.by_name import task_class
from support.layouts import LAYOUTS, write_image

PAIRS = [
    (task, name)
    for name, reader in sorted(READERS.items())
    for task, kinds in SOURCES.items()
    if reader.kind in kinds
]


def load(task: str, name: str, folder: Path, tiny: Callable, **changes: object) -> tuple:
    data = f"{name}:{LAYOUTS[name](folder)}"
    whole = {"size": 48, "train_frames": None, "val_frames": None}
    settings = tiny(data, task, **{**whole, **changes})
    kind = task_class(task)
    return kind.describe(data, settings), *kind.load(data, settings), data


@pytest.mark.parametrize(("task", "name"), PAIRS)
def test_whole_data_in_memory(task: str, name: str, tmp_path: Path, tiny: Callable) -> None:
    about, train, val, data = load(task, name, tmp_path, tiny)
    assert (about["name"], about["height"], about["width"]) == (name, 48, 64)
    for split, found in (("train", train), ("val", val)):
        on_disk = open_data(data, split)
        assert sorted(about["classes"]) == sorted(on_disk.classes.names)
        assert about["val" if split == "val" else "train"] == len(on_disk)
        assert len(found) == len(on_disk) - found.left_out
        assert found.images.shape == (len(found), 3, 48, 64)
        assert found.images.dtype == torch.uint8
        for i in range(len(found)):
            image, _ = found.sample(i)
            assert torch.equal((image * 255).round().byte(), found.images[i])
        # As it is read on disk, and eight times as large.
        if name not in ("pennfudan", "coco_detection", "coco_instance"):
            image, target = on_disk[0]
            assert (found.images[0, :, 4::8, 4::8].int() - image.int()).abs().max() < 40
            if task == "semantic":
                labels = found.sample(0)[1]["semantic"]
                assert labels[4::8, 4::8].tolist() == target.tolist()
                assert torch.equal(found.labels[0].long(), labels)
            if task == "depth":
                assert found.sample(0)[1]["depth"][4::8, 4::8].tolist() == target.tolist()


@pytest.mark.parametrize(("task", "name"), PAIRS)
def test_mirrors_everything(task: str, name: str, tmp_path: Path, tiny: Callable) -> None:
    _, train, *_ = load(task, name, tmp_path, tiny)
    (image, target), (mirrored, other) = train.sample(0), train.sample(0, flip=True)
    assert torch.equal(mirrored, image.flip(-1))
    assert target.keys() == other.keys()
    for key in {"semantic", "depth", "masks"} & target.keys():
        assert torch.equal(other[key], target[key].flip(-1))
    if "panoptic" in target:
        segments = target["panoptic"]["segments"]
        assert torch.equal(other["panoptic"]["segments"], segments.flip(-1))
        assert segments.dtype == torch.int64
    if "boxes" in target:
        assert len(target["boxes"]) > 0
        assert torch.equal(other["boxes"][:, ::2], 64 - target["boxes"][:, [2, 0]])
        assert torch.equal(other["boxes"][:, 1::2], target["boxes"][:, 1::2])
    for key in {"labels", "iscrowd", "area"} & target.keys():
        assert torch.equal(other[key], target[key])


def test_training_leaves_out_images_without_objects(tmp_path: Path, tiny: Callable) -> None:
    """Image i has i % 3 pedestrians; 4 and 9 are for validation."""
    about, train, val, _ = load("instance", "pennfudan", tmp_path, tiny)
    assert (about["train"], len(train), train.left_out) == (8, 5, 3)
    assert [len(train.sample(i)[1]["labels"]) for i in range(5)] == [1, 2, 2, 1, 2]
    assert (about["val"], len(val), val.left_out) == (2, 2, 0)
    assert [len(val.sample(i)[1]["labels"]) for i in range(2)] == [1, 0]
    assert (about["classes"], about["things"]) == (["pedestrian"], ["pedestrian"])


def test_detection_holds_no_masks(tmp_path: Path, tiny: Callable) -> None:
    _, train, val, _ = load("detection", "coco_instance", tmp_path, tiny)
    assert not any("masks" in target for target in [*train.targets, *val.targets])


def test_no_image_with_an_object(tmp_path: Path, tiny: Callable) -> None:
    with pytest.raises(ValueError, match="pennfudan train must hold objects, but no image has one"):
        load("detection", "pennfudan", tmp_path, tiny, train_frames=1)


def test_panoptic_classes_and_labels(tmp_path: Path, tiny: Callable) -> None:
    about, train, _, _ = load("panoptic", "coco_panoptic", tmp_path, tiny)
    assert about["classes"] == ["sky", "car", "cat"]
    assert about["things"] == ["car", "cat"]
    labels = train.labels
    assert (labels.shape, labels.dtype) == ((1, 48, 64), torch.uint8)
    assert labels[0, 4::16, 4].tolist() == [255, 0, 2]
    assert labels[0, 40, 60] == 1
    assert torch.equal(labels[0].long(), semantic_labels(train.sample(0)[1]["panoptic"]))


def test_images_of_another_aspect_are_padded(tmp_path: Path, tiny: Callable) -> None:
    """The first training image gives the aspect; a square one leaves room on the right."""
    folder = LAYOUTS["voc"](tmp_path)
    base = folder / "VOCdevkit" / "VOC2012"
    write_image(base / "JPEGImages" / "2007_000033.jpg", 8, 8)
    Image.fromarray(np.full((8, 8), 15, np.uint8)).save(
        base / "SegmentationClass" / "2007_000033.png"
    )
    settings = tiny("voc:x", size=48, train_frames=None, val_frames=None)
    _, val = task_class("semantic").load(f"voc:{folder}", settings)
    assert (val.labels[0, :, :48] == 15).all()
    assert (val.labels[0, :, 48:] == 255).all()
    assert (val.images[0, :, :, 48:] == torch.tensor([124, 116, 104])[:, None, None]).all()


@pytest.mark.parametrize(
    ("task", "name", "listed"),
    [
        ("semantic", "nyu", "ade20k, binary, camvid, cityscapes, folders, voc"),
        ("panoptic", "coco_instance", "coco_panoptic"),
        ("instance", "coco_detection", "coco_instance, pennfudan"),
        ("detection", "voc", "coco_detection, coco_instance, pennfudan"),
        ("depth", "voc", "kitti, nyu"),
    ],
)
def test_another_kind_is_refused(
    task: str, name: str, listed: str, tmp_path: Path, tiny: Callable
) -> None:
    message = (
        rf"`data` \(='{name}:.*'\) must be of {listed} or 'scenes' for the task {task}; {name}"
    )
    with pytest.raises(ValueError, match=message):
        load(task, name, tmp_path, tiny)


def test_unknown_name(tiny: Callable) -> None:
    with pytest.raises(ValueError, match=r"`data` \(='vok:/'\) must start with one of ade20k,"):
        task_class("semantic").describe("vok:/", tiny("vok:/"))


def test_reading_is_told(tmp_path: Path) -> None:
    data = open_data(f"pennfudan:{LAYOUTS['pennfudan'](tmp_path)}", "val")
    told: list[tuple[int, int]] = []
    DiskSet("instance", data, (32, 32), 2, list, lambda *step: told.append(step))
    assert told == [(1, 2), (2, 2)]
