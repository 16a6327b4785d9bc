"""Detection and instance segmentation with a model that knows the answer."""

import pytest
import torch
from torch import Tensor, nn

from dysample.workbench.data.scene_set import describe_scenes
from dysample.workbench.settings import settings_for
from dysample.workbench.tasks.objects import DetectionTask, InstanceTask

SETTINGS = settings_for("instance", "scenes", size=64, train_frames=4, val_frames=1)
ABOUT = describe_scenes(SETTINGS, "instance")


class Oracle(nn.Module):
    """Detections made of the labels, with masks moved to the right by `shift` pixels."""

    def __init__(self, targets: list[dict[str, Tensor]], shift: int = 0) -> None:
        super().__init__()
        self.targets = targets
        self.shift = shift

    def forward(self, images: list[Tensor]) -> list[dict[str, Tensor]]:
        return [
            {
                "boxes": target["boxes"],
                "labels": target["labels"],
                "scores": torch.ones(len(target["labels"])),
                **(
                    {"masks": target["masks"].roll(self.shift, -1)[:, None].float() * 0.9}
                    if "masks" in target
                    else {}
                ),
            }
            for target in self.targets
        ]


@pytest.mark.parametrize("kind", [DetectionTask, InstanceTask])
def test_the_labels_themselves_have_precision_1(kind: type) -> None:
    train, _ = kind.load("scenes", SETTINGS)
    batch = train.batch(torch.arange(4))
    task = kind(Oracle(batch[1]), ABOUT, SETTINGS, 0, "run")
    task.update(batch)
    found = task.compute()
    for key in task.measures:
        if "_small" not in key:  # there is none in four frames
            assert found[key] == pytest.approx(1), key
    names = {"class_ap"} if kind is DetectionTask else {"class_mask_ap", "class_box_ap"}
    assert found.keys() == {*task.measures, *names}
    assert all(list(found[name]) == ABOUT["things"] for name in names)


def test_masks_are_matched_as_masks() -> None:
    train, _ = InstanceTask.load("scenes", SETTINGS)
    batch = train.batch(torch.arange(4))
    task = InstanceTask(Oracle(batch[1], shift=1), ABOUT, SETTINGS, 0, "run")
    task.update(batch)
    found = task.compute()
    assert found["box_ap"] == pytest.approx(1)
    assert 0.1 < found["mask_ap"] < 0.9
    assert found["class_mask_ap"]["pole"] < found["class_mask_ap"]["box"]


@pytest.mark.parametrize("kind", [DetectionTask, InstanceTask])
def test_what_is_found_in_a_crowd_costs_nothing(kind: type) -> None:
    """A box, and a crowd of boxes in which two are found; elsewhere they would cost."""

    def objects(*boxes: list[int]) -> dict[str, Tensor]:
        masks = torch.zeros(len(boxes), 64, 64, dtype=torch.uint8)
        for mask, (left, top, right, bottom) in zip(masks, boxes):
            mask[top:bottom, left:right] = 1
        labels = torch.ones(len(boxes), dtype=torch.int64)
        return {"boxes": torch.tensor(boxes).float(), "labels": labels, "masks": masks}

    def precision(*others: list[int]) -> float:
        truth = objects([2, 2, 12, 12], [20, 20, 60, 60])
        truth |= {"iscrowd": torch.tensor([0, 1]), "area": torch.tensor([100.0, 1600.0])}
        task = kind(Oracle([objects(*others, [2, 2, 12, 12])]), ABOUT, SETTINGS, 0, "run")
        task.update(([torch.zeros(3, 64, 64)], [truth]))
        return float(task.compute()[next(iter(task.measures))])

    assert precision([22, 22, 40, 40], [42, 42, 58, 58]) == pytest.approx(1)
    assert precision([2, 22, 12, 40], [2, 42, 12, 58]) < 0.5
