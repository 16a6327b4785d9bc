import math

import pytest
import torch

from dysample.workbench.depth_metrics import NEAREST, DepthErrors


def test_by_hand() -> None:
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
