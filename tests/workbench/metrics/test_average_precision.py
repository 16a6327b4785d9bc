import math

import pytest
import torch
from torch import Tensor

from dysample.workbench.metrics.average_precision import AveragePrecision

NAMES = {1: "box", 2: "ball", 3: "pole"}


def _target(*boxes: list[float], labels: list[int]) -> dict[str, Tensor]:
    return {"boxes": torch.tensor(boxes), "labels": torch.tensor(labels)}


def _found(*boxes: list[float], labels: list[int], scores: list[float]) -> dict[str, Tensor]:
    return {**_target(*boxes, labels=labels), "scores": torch.tensor(scores)}


def test_by_hand() -> None:
    metric = AveragePrecision("bbox", (480, 640))
    # A box found at IoU .82, one missed; a ball found exactly; a false pole costs nothing, as the
    # labels have none.
    metric.update(
        [
            _found(
                [0, 0, 10, 8.2],
                [50, 50, 60, 60],
                [90, 90, 95, 95],
                labels=[1, 2, 3],
                scores=[0.9] * 3,
            )
        ],
        [_target([0, 0, 10, 10], [30, 30, 40, 40], [50, 50, 60, 60], labels=[1, 1, 2])],
    )
    found = metric.compute_plain("ap", NAMES)
    half = 51 / 101  # precision 1 up to recall 1/2, at 101 recalls
    assert found["class_ap"]["box"] == pytest.approx(half * 7 / 10)  # IoU .5 to .8
    assert found["class_ap"]["ball"] == pytest.approx(1)
    assert math.isnan(found["class_ap"]["pole"])
    assert found["ap"] == pytest.approx((half * 0.7 + 1) / 2)
    assert found["ap50"] == found["ap75"] == pytest.approx((half + 1) / 2)
    assert found["ap_small"] == pytest.approx(found["ap"])
    assert math.isnan(found["ap_medium"])
    assert math.isnan(found["ap_large"])


@pytest.mark.parametrize("kind", ["bbox", "segm"])
@pytest.mark.parametrize("scale", [1, 4])
def test_limits_of_size_follow_the_image(kind: str, scale: int) -> None:
    # At a fifth of COCO's size the limits are 6.4 and 19.2 pixels squared.
    metric = AveragePrecision(kind, (96 * scale, 128 * scale))
    boxes = torch.tensor([[0, 0, 6, 6], [10, 10, 17, 17], [30, 30, 50, 50]]) * scale
    masks = torch.zeros(3, 96 * scale, 128 * scale, dtype=torch.bool)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes.tolist()):
        mask[y1:y2, x1:x2] = True
    one = {"boxes": boxes.float(), "masks": masks, "labels": torch.ones(3, dtype=torch.int64)}
    # Only the middle one is found.
    keep = torch.tensor([False, True, False])
    metric.update([{**{k: v[keep] for k, v in one.items()}, "scores": torch.ones(1)}], [one])
    found = metric.compute_plain("ap", NAMES)
    assert (found["ap_small"], found["ap_medium"], found["ap_large"]) == (0, pytest.approx(1), 0)


@pytest.mark.parametrize("kind", ["bbox", "segm"])
def test_images_without_objects(kind: str) -> None:
    metric = AveragePrecision(kind, (8, 8))
    nothing = {
        "boxes": torch.zeros(0, 4),
        "labels": torch.zeros(0, dtype=torch.int64),
        "masks": torch.zeros(0, 8, 8, dtype=torch.bool),
    }
    metric.update([{**nothing, "scores": torch.zeros(0)}], [nothing])
    found = metric.compute_plain("ap", NAMES)
    assert math.isnan(found["ap"])
    assert all(math.isnan(value) for value in found["class_ap"].values())
