from pathlib import Path

import pytest
import torch

from dysample.workbench.data.catalog import READERS, open_data
from dysample.workbench.data.dataset import Classes
from dysample.workbench.data.sample import SOURCES, class_order, to_sample
from dysample.workbench.data.targets import VOID, Kind
from dysample.workbench.data.transforms import evaluation_transform, training_transform
from dysample.workbench.metrics.boundary import IGNORE
from dysample.workbench.tasks.by_name import task_class
from support.layouts import LAYOUTS

SIZE = (12, 16)  # twice that of the layouts
PAIRS = [
    (task, name)
    for name, reader in sorted(READERS.items())
    for task, kinds in SOURCES.items()
    if reader.kind in kinds
]


def samples_of(task: Kind, name: str, folder: Path, training: bool, split: str = "val") -> list:
    data = open_data(f"{name}:{LAYOUTS[name](folder)}", split)
    transform = (training_transform if training else evaluation_transform)(data.kind, SIZE)
    return [
        to_sample(task, data.classes, image, target, training)
        for image, target in data.transformed(transform)
    ]


@pytest.mark.parametrize(("task", "name"), PAIRS)
@pytest.mark.parametrize("training", [False, True])
def test_every_reader_makes_batches_of_its_tasks(
    task: Kind, name: str, training: bool, tmp_path: Path
) -> None:
    samples = samples_of(task, name, tmp_path, training)
    for image, target in samples:
        assert (image.shape, image.dtype) == ((3, *SIZE), torch.float32)
        plain = [value for value in target.values() if isinstance(value, torch.Tensor)]
        assert all(type(value) is torch.Tensor for value in plain)
        if "boxes" in target:
            assert len(target["boxes"]) == len(target["labels"])
            assert ("masks" in target) == (task != "detection")
    images, _ = task_class(task).batch(samples)
    if task in ("semantic", "depth"):
        assert images.shape == (len(samples), 3, *SIZE)
        torch.testing.assert_close(images[0], samples[0][0] * 2 - 1)
    else:
        assert torch.equal(images[0], samples[0][0])


def test_labels_and_depths_as_they_are(tmp_path: Path) -> None:
    (_, target), *_ = samples_of("semantic", "voc", tmp_path / "voc", False)
    assert target["semantic"][:, 0].tolist() == [0] * 4 + [15] * 4 + [IGNORE] * 4
    _, labels = task_class("semantic").batch([(torch.zeros(3, *SIZE), target)])
    assert torch.equal(labels, target["semantic"][None])
    (_, target), *_ = samples_of("depth", "nyu", tmp_path / "nyu", False)
    _, depths = task_class("depth").batch([(torch.zeros(3, *SIZE), target)])
    torch.testing.assert_close(
        depths[0, :, 0], torch.tensor([0, 0.713, 9.999]).repeat_interleave(4)
    )


def test_crowds_are_evaluated_and_not_trained_on(tmp_path: Path) -> None:
    data = open_data(f"coco_instance:{LAYOUTS['coco_instance'](tmp_path)}", "val")
    image, target = data.transformed(evaluation_transform("instance", SIZE))[0]
    for task in ("detection", "instance"):
        _, evaluated = to_sample(task, data.classes, image, target, False)
        assert evaluated["iscrowd"].tolist() == [0, 1]
        _, trained = to_sample(task, data.classes, image, target, True)
        assert trained["labels"].tolist() == [2]
        assert trained["boxes"].tolist() == [[2, 4, 10, 10]]


def test_panoptic_has_stuff_first_and_no_crowd_among_its_objects(tmp_path: Path) -> None:
    """The data set's classes are car, cat, sky; a crowd of cars is in the picture."""
    data = open_data(f"coco_panoptic:{LAYOUTS['coco_panoptic'](tmp_path)}", "val")
    assert data.classes.names == ("car", "cat", "sky")
    order = class_order("panoptic", data.classes)
    assert [data.classes.names[i] for i in order] == ["sky", "car", "cat"]
    ((_, target),) = samples_of("panoptic", "coco_panoptic", tmp_path, False)
    panoptic = target["panoptic"]
    corners = panoptic["segments"][[0, 5, 10, 10], [0, 0, 0, 15]]
    assert corners[0] == VOID
    assert panoptic["categories"][corners[1:]].tolist() == [0, 2, 1]
    assert panoptic["isthing"][corners[1:]].tolist() == [False, True, True]
    assert panoptic["iscrowd"][corners[1:]].tolist() == [0, 0, 1]
    assert target["labels"].tolist() == [2]
    assert target["boxes"].tolist() == [[0, 8, 8, 12]]
    assert torch.equal(target["masks"][0], (panoptic["segments"] == corners[2]).to(torch.uint8))


def test_other_tasks_keep_the_order() -> None:
    classes = Classes(("car", "sky"), frozenset({0}))
    assert class_order("semantic", classes) == class_order("detection", classes) == [0, 1]
