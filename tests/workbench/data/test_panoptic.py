import math
from pathlib import Path

import pytest
import torch
from torchmetrics.detection import PanopticQuality

import layouts
from dysample.workbench.data.catalog import open_data
from dysample.workbench.data.panoptic import instances, quality_map, semantic_labels
from dysample.workbench.data.targets import PanopticTarget

CAR, CAT, SKY = 0, 1, 2


@pytest.fixture
def target(tmp_path: Path) -> PanopticTarget:
    """Rows 0-1 void, 2-3 sky, 4-5 a cat on the left and a crowd of cars on the right."""
    return open_data(f"coco_panoptic:{layouts.coco_panoptic(tmp_path)}", "val")[0][1]


def test_semantic_labels(target: PanopticTarget) -> None:
    labels = semantic_labels(target)
    assert labels[:, 0].tolist() == [255, 255, SKY, SKY, CAT, CAT]
    assert labels[5].tolist() == [CAT] * 4 + [CAR] * 4


def test_instances(target: PanopticTarget) -> None:
    objects = instances(target, things=[CAR, CAT])
    found = {int(label): i for i, label in enumerate(objects["labels"])}
    assert sorted(found) == [1, 2]
    assert objects["boxes"][found[2]].tolist() == [0, 4, 4, 6]
    assert objects["boxes"][found[1]].tolist() == [4, 4, 8, 6]
    assert objects["area"].tolist() == [8, 8]
    assert objects["iscrowd"][found[1]] == 1
    assert objects["masks"][found[2]].sum() == objects["masks"][found[2]][4:, :4].sum() == 8


def test_segments_that_a_crop_removed_are_no_objects(target: PanopticTarget) -> None:
    target["segments"] = target["segments"][:5, :4]
    objects = instances(target, things=[CAR, CAT])
    assert objects["labels"].tolist() == [2]
    assert objects["boxes"].tolist() == [[0, 4, 4, 5]]
    target["segments"] = target["segments"][:4]
    assert instances(target, things=[CAR, CAT])["boxes"].shape == (0, 4)


def _quality(prediction: torch.Tensor, target: PanopticTarget) -> float:
    metric = PanopticQuality({CAR, CAT}, {SKY}, allow_unknown_preds_category=True)
    metric.update(prediction[None], quality_map(target)[None])
    return float(metric.compute())


def test_quality(target: PanopticTarget) -> None:
    same = quality_map(target)
    assert _quality(same, target) == 1
    # Void and crowd: whatever is predicted there is neither right nor wrong.
    hidden = same.clone()
    hidden[:2] = torch.tensor([CAR, 7])
    hidden[4:, 4:] = torch.tensor([CAT, 8])
    assert _quality(hidden, target) == 1
    # The cat is taken for a car: one of three classes, sky, is found.
    wrong = same.clone()
    wrong[4:, :4, 0] = CAR
    assert math.isclose(_quality(wrong, target), 1 / 3, rel_tol=1e-6)
    # A quarter of the cat is seen as sky: IoU 6/8, and 16/18 of the sky.
    partly = same.clone()
    partly[4, :2] = same[2, 0]
    assert math.isclose(_quality(partly, target), (6 / 8 + 16 / 18) / 2, rel_tol=1e-6)
