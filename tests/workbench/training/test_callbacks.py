from types import SimpleNamespace
from typing import Any

import torch

from dysample.workbench.record import Curve
from dysample.workbench.training.callbacks import LearningCurve


def _train(curve: LearningCurve, losses: list[float], start: int = 0, accumulate: int = 1) -> None:
    for batch, loss in enumerate(losses, start=1):
        trainer: Any = SimpleNamespace(
            global_step=start + batch // accumulate, accumulate_grad_batches=accumulate
        )
        # Lightning hands out the loss divided by the parts of a batch.
        module: Any = None
        curve.on_train_batch_end(trainer, module, {"loss": torch.tensor(loss / accumulate)})


def test_points_are_means_over_stretches() -> None:
    curve = LearningCurve(steps=8, points=4)
    _train(curve, [4, 2, 3, 1, 1, 1, 0, 5])
    assert curve.curve == Curve((2, 4, 6, 8), (3, 2, 1, 2.5))


def test_parts_of_a_batch_count_once() -> None:
    curve = LearningCurve(steps=4, points=2)
    _train(curve, [4, 2, 3, 1, 1, 1, 0, 5], accumulate=2)
    assert curve.curve == Curve((2, 4), (2.5, 1.75))


def test_it_goes_on_from_a_checkpoint_in_a_stretch() -> None:
    before, after = (LearningCurve(steps=8, points=4) for _ in range(2))
    _train(before, [4, 2, 3])
    after.load_state_dict(before.state_dict())
    _train(after, [1, 1, 1, 0, 5], start=3)
    assert after.curve == Curve((2, 4, 6, 8), (3, 2, 1, 2.5))


def test_short_runs_have_a_point_a_step() -> None:
    curve = LearningCurve(steps=3)
    _train(curve, [3, 2, 1.23456])
    assert curve.curve == Curve((1, 2, 3), (3, 2, 1.235))
