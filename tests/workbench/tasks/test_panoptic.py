import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dysample.workbench.data.panoptic import semantic_labels
from dysample.workbench.data.scene_set import describe_scenes
from dysample.workbench.data.targets import VOID
from dysample.workbench.metrics.boundary import IGNORE
from dysample.workbench.settings import settings_for
from dysample.workbench.tasks.panoptic import PanopticTask, branch_labels

SETTINGS = settings_for("panoptic", "scenes", size=64, train_frames=4, val_frames=1)
ABOUT = describe_scenes(SETTINGS, "panoptic")


class Oracle(nn.Module):
    """Detections made of the labels, with `wrong` of the things' classes changed."""

    def __init__(self, targets: list[dict[str, Any]], wrong: int | None = None) -> None:
        super().__init__()
        self.targets = targets
        self.wrong = wrong

    def forward(self, images: list[Tensor]) -> list[dict[str, Tensor]]:
        return [self._one(target) for target in self.targets]

    def _one(self, target: dict[str, Any]) -> dict[str, Tensor]:
        labels = target["labels"].clone()
        if self.wrong is not None:
            labels[labels == self.wrong] = self.wrong % 4 + 1
        semantic = branch_labels(semantic_labels(target["panoptic"]), 4)
        scores = nn.functional.one_hot(semantic.clamp(max=4), 5).permute(2, 0, 1).float()
        return {
            "masks": target["masks"][:, None].float(),
            "labels": labels,
            "scores": torch.ones(len(labels)),
            "semantic": scores,
        }


@pytest.fixture
def batch() -> Any:
    train, _ = PanopticTask.load("scenes", SETTINGS)
    # Stuff that is too small to be kept is another matter.
    images, targets = train.batch(torch.arange(4))
    for target in targets:
        segments = target["panoptic"]["segments"]
        for k, c in enumerate(target["panoptic"]["categories"].tolist()):
            if c < 4 and (segments == k).sum() < 64 * 64 / 75:
                segments[segments == k] = VOID
    return images, targets


def test_the_labels_themselves_have_quality_1(batch: Any) -> None:
    task = PanopticTask(Oracle(batch[1]), ABOUT, SETTINGS, 0, "run")
    task.update(batch)
    found = task.compute()
    assert found.keys() == {*task.measures, "class_pq"}
    for key in task.measures:
        assert float(found[key]) == pytest.approx(1), key


def test_things_of_a_wrong_class_cost_the_things_alone(batch: Any) -> None:
    task = PanopticTask(Oracle(batch[1], wrong=1), ABOUT, SETTINGS, 0, "run")
    task.update(batch)
    found = task.compute()
    assert float(found["pq_stuff"]) == pytest.approx(1)
    assert float(found["class_pq"]["box"]) == 0  # label 1
    assert 0 < float(found["class_pq"]["ball"]) < 1  # label 2, which is found too often
    assert float(found["class_pq"]["pole"]) == pytest.approx(1)
    by_class = [float(value) for value in found["class_pq"].values()]
    present = [value for value in by_class if not math.isnan(value)]
    assert float(found["pq"]) == pytest.approx(sum(present) / len(present))


def test_the_semantic_branch_learns_things_as_one() -> None:
    classes = torch.tensor([[0, 2, 3, 7, IGNORE]])
    assert branch_labels(classes, 3).tolist() == [[0, 2, 3, 3, IGNORE]]


def test_void_is_shown_as_ignored(batch: Any) -> None:
    task = PanopticTask(Oracle(batch[1]), ABOUT, SETTINGS, 0, "run")
    classes = task.predict_classes(batch)
    assert classes.shape == (4, 64, 64)
    unknown = torch.stack([target["panoptic"]["segments"] == VOID for target in batch[1]])
    assert unknown.any()
    assert (classes[unknown] == IGNORE).all()
    assert classes[~unknown].max() < 8
