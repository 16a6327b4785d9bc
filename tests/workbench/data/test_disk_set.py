"""Data sets on disk, for every task; CamVid's own file has the details of one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from dysample.workbench.data import disk_set
from dysample.workbench.data.batches import EvaluationBatches, TrainingBatches
from dysample.workbench.data.catalog import READERS, open_data
from dysample.workbench.data.dataset import DataSet
from dysample.workbench.data.panoptic import semantic_labels
from dysample.workbench.data.sample import SOURCES
from dysample.workbench.data.transforms import evaluation_transform
from dysample.workbench.tasks.by_name import task_class
from support.layouts import LAYOUTS, write_image

PAIRS = [
    (task, name)
    for name, reader in sorted(READERS.items())
    for task, kinds in SOURCES.items()
    if reader.kind in kinds
]


def plain(value: Any) -> list[torch.Tensor]:
    """Every tensor of a batch."""
    if isinstance(value, torch.Tensor):
        return [value]
    parts = value.values() if isinstance(value, dict) else value
    return [t for part in parts if not isinstance(part, int) for t in plain(part)]


def equal(one: Any, other: Any) -> bool:
    pairs = list(zip(plain(one), plain(other), strict=True))
    return all(a.shape == b.shape and torch.equal(a, b) for a, b in pairs)


def load(task: str, name: str, folder: Path, tiny: Callable, **changes: object) -> tuple:
    data = f"{name}:{LAYOUTS[name](folder)}"
    whole = {"size": 48, "train_frames": None, "val_frames": None}
    settings = tiny(data, task, **{**whole, **changes})
    kind = task_class(task)
    return kind.describe(data, settings), *kind.load(data, settings), data


@pytest.mark.parametrize(("task", "name"), PAIRS)
def test_every_sample(task: str, name: str, tmp_path: Path, tiny: Callable) -> None:
    about, train, val, data = load(task, name, tmp_path, tiny)
    assert (about["name"], about["height"], about["width"]) == (name, 48, 64)
    for split, found in (("train", train), ("val", val)):
        on_disk = open_data(data, split)
        assert sorted(about["classes"]) == sorted(on_disk.classes.names)
        assert about["val" if split == "val" else "train"] == len(on_disk)
        assert len(found) == len(on_disk)
        transformed = on_disk.transformed(evaluation_transform(on_disk.kind, (48, 64)))
        for i in range(len(found)):
            image, _ = found.sample(i)
            assert torch.allclose(image, transformed[i][0], rtol=0, atol=1e-7)
            assert torch.equal(image, found.sample(i)[0])  # now from memory
        # As it is read on disk, and eight times as large.
        if name not in ("pennfudan", "coco_detection", "coco_instance"):
            image, target = on_disk[0]
            assert ((found.sample(0)[0] * 255)[:, 4::8, 4::8] - image.int()).abs().max() < 40
            if task == "semantic":
                labels = found.sample(0)[1]["semantic"]
                assert labels[4::8, 4::8].tolist() == target.tolist()
                assert torch.equal(found.label(0).long(), labels)
            if task == "depth":
                assert found.sample(0)[1]["depth"][4::8, 4::8].tolist() == target.tolist()


@pytest.mark.parametrize(("task", "name"), PAIRS)
def test_mirrors_everything(task: str, name: str, tmp_path: Path, tiny: Callable) -> None:
    _, train, *_ = load(task, name, tmp_path, tiny)
    i = len(train) - 1 if name == "pennfudan" else 0  # which has objects
    (image, target), (mirrored, other) = train.sample(i), train.sample(i, flip=True)
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


def test_images_without_objects_stay(tmp_path: Path, tiny: Callable) -> None:
    """Image i has i % 3 pedestrians; 4 and 9 are for validation."""
    about, train, val, _ = load("instance", "pennfudan", tmp_path, tiny)
    assert (about["train"], len(train)) == (8, 8)
    assert [len(train.sample(i)[1]["labels"]) for i in range(8)] == [0, 1, 2, 0, 2, 0, 1, 2]
    assert (about["val"], len(val)) == (2, 2)
    assert [len(val.sample(i)[1]["labels"]) for i in range(2)] == [1, 0]
    assert (about["classes"], about["things"]) == (["pedestrian"], ["pedestrian"])


def test_detection_holds_no_masks(tmp_path: Path, tiny: Callable) -> None:
    _, train, val, _ = load("detection", "coco_instance", tmp_path, tiny)
    assert not any("masks" in one.sample(0)[1] for one in (train, val))


@pytest.mark.parametrize(("room", "kept"), [(0, 0), (48 * 64 * 3 * 3, 2), (2**20, 8)])
def test_what_does_not_fit_into_memory_is_read_again(
    room: int, kept: int, tmp_path: Path, tiny: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk_set, "KEPT", room)
    _, train, *_ = load("detection", "pennfudan", tmp_path, tiny)
    read: list[int] = []
    usual = DataSet.__getitem__

    def counted(self: DataSet, index: int) -> Any:
        read.append(index)
        return usual(self, index)

    monkeypatch.setattr(DataSet, "__getitem__", counted)
    first = [train.sample(i) for i in range(8)]
    assert read == list(range(8))
    again = [train.sample(i) for i in range(8)]
    assert read[8:] == list(range(kept, 8))
    assert all(equal(a, b) for a, b in zip(first, again))


def test_panoptic_classes_and_labels(tmp_path: Path, tiny: Callable) -> None:
    about, train, _, _ = load("panoptic", "coco_panoptic", tmp_path, tiny)
    assert about["classes"] == ["sky", "car", "cat"]
    assert about["things"] == ["car", "cat"]
    labels = train.label(0)
    assert (labels.shape, labels.dtype) == ((48, 64), torch.uint8)
    assert labels[4::16, 4].tolist() == [255, 0, 2]
    assert labels[40, 60] == 1
    assert torch.equal(labels.long(), semantic_labels(train.sample(0)[1]["panoptic"]))


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
    assert (val.label(0)[:, :48] == 15).all()
    assert (val.label(0)[:, 48:] == 255).all()
    padding = torch.tensor([124, 116, 104])[:, None, None] / 255
    assert (val.sample(0)[0][:, :, 48:] == padding).all()


@pytest.mark.parametrize(
    ("task", "name", "listed"),
    [
        ("semantic", "nyu", "ade20k, binary, camvid, cityscapes, folders, voc"),
        ("panoptic", "coco_instance", "coco_panoptic"),
        ("instance", "coco_detection", "coco_instance, folders_instance, pennfudan"),
        ("detection", "voc", "coco_detection, coco_instance, folders_instance, pennfudan"),
        ("depth", "voc", "folders_depth, kitti, nyu"),
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


@pytest.mark.parametrize(("task", "name"), PAIRS)
def test_augments_by_place_and_seed(task: str, name: str, tmp_path: Path, tiny: Callable) -> None:
    _, train, val, _ = load(task, name, tmp_path, tiny, augment=True)
    index, flip = torch.zeros(3, dtype=torch.int64), torch.zeros(3, dtype=torch.bool)
    batch = train.training_batch(index, flip, [0, 1, 2], seed=0)
    images = torch.stack(list(batch[0]))
    assert images.shape == (3, 3, 48, 64)
    assert not torch.equal(images[0], images[1])
    # Up to place and seed alone, and the global generator is left as it was.
    state = torch.get_rng_state()
    assert equal(train.training_batch(index, flip, [0, 1, 2], seed=0), batch)
    assert torch.equal(torch.get_rng_state(), state)
    alone = train.training_batch(index[:1], flip, [1], seed=0)
    assert torch.equal(torch.stack(list(alone[0]))[0], images[1])
    assert not equal(train.training_batch(index, flip, [0, 1, 2], seed=1)[0], batch[0])
    assert equal(val.batch(torch.tensor([0])), val.batch(torch.tensor([0])))


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_change_nothing(workers: int, tmp_path: Path, tiny: Callable) -> None:
    _, train, val, _ = load("instance", "pennfudan", tmp_path, tiny, augment=True)
    expected = list(TrainingBatches(train, 2, 4, seed=3))
    found = list(TrainingBatches(train, 2, 4, seed=3, workers=workers))
    assert len(found) == 4
    assert all(equal(a, b) for a, b in zip(expected, found))
    assert all(
        equal(a, b)
        for a, b in zip(
            EvaluationBatches(val, batch_size=1),
            EvaluationBatches(val, batch_size=1, workers=workers),
            strict=True,
        )
    )
    # Batches made ahead are not counted before they are handed out.
    begun = TrainingBatches(train, 2, 4, seed=3, workers=workers)
    next(iter(begun))
    resumed = TrainingBatches(train, 2, 4, seed=3, workers=workers)
    resumed.load_state_dict(begun.state_dict())
    assert all(equal(a, b) for a, b in zip(expected[1:], resumed, strict=True))


@pytest.mark.parametrize(("task", "name"), PAIRS)
def test_held_out_images_are_the_last_of_the_training_images(
    task: str, name: str, tmp_path: Path, tiny: Callable
) -> None:
    whole, every, _, data = load(task, name, tmp_path, tiny)
    settings = tiny(data, task, size=48, train_frames=None, val_frames=None, held_out=True)
    kind, count = task_class(task), whole["train"]
    if count == 1:
        with pytest.raises(ValueError, match=r"`held_out` \(=True\) needs at least 2 .* not 1"):
            kind.describe(data, settings)
        return
    about = kind.describe(data, settings)
    train, held = kind.load(data, settings)
    assert (about["train"], about["val"]) == (len(train), len(held))
    assert len(held) == -(-count // 5)
    assert len(train) + len(held) == count
    assert (train.training, held.training) == (True, False)
    for i in range(count):
        split, place = (train, i) if i < len(train) else (held, i - len(train))
        assert torch.equal(split.sample(place)[0], every.sample(i)[0])
