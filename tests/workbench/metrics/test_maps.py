import math

import pytest
import torch
from torch import Tensor

from dysample.workbench.metrics.maps import NEAREST, BoundaryIoU, ClassIoU, DepthErrors

IGNORE = 255


def _slow_bands(classes: Tensor, valid: Tensor, distance: int) -> list[set[tuple[int, ...]]]:
    """Pixels (b, y, x) of each of four classes with another class nearby."""
    bands: list[set[tuple[int, ...]]] = [set() for _ in range(4)]
    B, H, W = classes.shape
    for b in range(B):
        for y in range(H):
            for x in range(W):
                for v in range(max(0, y - distance), min(H, y + distance + 1)):
                    for u in range(max(0, x - distance), min(W, x + distance + 1)):
                        differs = classes[b, y, x] != classes[b, v, u]
                        if valid[b, y, x] and valid[b, v, u] and differs:
                            bands[int(classes[b, y, x])].add((b, y, x))
    return bands


def _random_maps(seed: int) -> tuple[Tensor, Tensor]:
    """Blocky maps (3, 9, 7) of classes 0 to 2 of 4; 3 is predicted only; with void."""
    generator = torch.Generator().manual_seed(seed)
    label = torch.randint(0, 3, (3, 3, 3), generator=generator)
    label = label.repeat_interleave(3, 1).repeat_interleave(3, 2)[:, :, :7]
    prediction = label.where(torch.rand(label.shape, generator=generator) < 0.8, 3)
    label = label.where(torch.rand(label.shape, generator=generator) < 0.9, IGNORE)
    return prediction, label


@pytest.mark.parametrize("distance", [1, 2])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_boundary_iou_equals_loops(seed: int, distance: int) -> None:
    prediction, label = _random_maps(seed)
    valid = label != IGNORE
    ious = []
    predicted = _slow_bands(prediction, valid, distance)
    for ours, true in zip(predicted, _slow_bands(label, valid, distance)):
        if true:
            ious.append(len(ours & true) / len(ours | true))
    metric = BoundaryIoU(4, IGNORE, distance)
    for image in range(3):  # sums run over all images, not over means of images
        metric.update(prediction[image : image + 1], label[image : image + 1])
    assert metric.compute().item() == pytest.approx(sum(ious) / len(ious), abs=1e-12)


def test_perfect_and_shifted() -> None:
    label = torch.zeros(1, 8, 8, dtype=torch.int64)
    label[..., 4:] = 1
    metric = BoundaryIoU(3, IGNORE)  # class 2 is absent
    metric.update(label, label)
    assert metric.compute() == 1
    metric.reset()
    # One pixel off: class 0's bands, columns 3 and 4, and class 1's, 4 and 5, do not meet.
    metric.update(label.roll(1, -1).clamp(max=1) * (torch.arange(8) > 0), label)
    assert metric.compute() == 0


def test_no_boundary_is_nan() -> None:
    metric = BoundaryIoU(2, IGNORE)
    blank = torch.zeros(1, 4, 4, dtype=torch.int64)
    metric.update(blank, blank)
    assert math.isnan(metric.compute())


@pytest.mark.parametrize("seed", [0, 1])
def test_class_iou_equals_loops(seed: int) -> None:
    prediction, label = _random_maps(seed)
    pairs = [(int(p), int(t)) for p, t in zip(prediction.flatten(), label.flatten()) if t != IGNORE]
    metric = ClassIoU(4, IGNORE)
    metric.update(prediction[:1], label[:1])
    metric.update(prediction[1:], label[1:])
    for c, iou in enumerate(metric.compute().tolist()):
        both = sum(p == t == c for p, t in pairs)
        either = sum(c in (p, t) for p, t in pairs)
        if c == 3:  # predicted, but not in the labels
            assert either > 0
            assert math.isnan(iou)
        else:
            assert iou == pytest.approx(both / either)


def test_depth_errors_by_hand() -> None:
    truth = torch.tensor([[[2.0, 4.0, 0.0]]])
    prediction = torch.tensor([[[3.0, 4.0, 9.0]]])  # a ratio of 1.5 and of 1; unknown
    metric = DepthErrors()
    metric.update(prediction, truth)
    found = {key: float(value) for key, value in metric.compute().items()}
    assert found == pytest.approx(
        {
            "delta1": 0.5,
            "delta2": 1.0,  # 1.5 < 1.5625
            "delta3": 1.0,
            "abs_rel": 0.25,
            "sq_rel": 0.25,
            "rmse": math.sqrt(0.5),
            "rmse_log": math.log(1.5) / math.sqrt(2),
            "log10": math.log10(1.5) / 2,
        }
    )


def test_images_count_alike_and_without_a_known_pixel_not_at_all() -> None:
    truth = torch.tensor([[[1.0, 1.0]], [[1.0, 0.0]], [[0.0, 0.0]]])
    prediction = torch.tensor([[[1.0, 1.0]], [[1.5, 1.0]], [[7.0, 7.0]]])
    metric = DepthErrors()
    metric.update(prediction[:1], truth[:1])
    metric.update(prediction[1:], truth[1:])
    assert float(metric.compute()["abs_rel"]) == pytest.approx(0.25)


def test_a_prediction_of_nothing_stays_finite() -> None:
    metric = DepthErrors()
    metric.update(torch.zeros(1, 1, 1), torch.ones(1, 1, 1))
    assert float(metric.compute()["rmse_log"]) == pytest.approx(-math.log(NEAREST))


def test_no_known_pixel_is_nan() -> None:
    metric = DepthErrors()
    metric.update(torch.ones(1, 1, 1), torch.zeros(1, 1, 1))
    assert math.isnan(metric.compute()["rmse"])
