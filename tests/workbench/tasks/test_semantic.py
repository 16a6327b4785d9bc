from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dysample import DySample, create_upsampler
from dysample.workbench.tasks.semantic import SemanticTask
from support.refusals import refused


class Constant(nn.Module):
    """The same scores everywhere, which are its parameters."""

    def __init__(self, scores: list[float]) -> None:
        super().__init__()
        self.scores = nn.Parameter(torch.tensor(scores))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.scores[None, :, None, None].expand(len(images), -1, *images.shape[-2:])


@pytest.fixture
def task(tiny: Callable, monkeypatch: pytest.MonkeyPatch) -> SemanticTask:
    about = {"classes": ["a", "b", "c"]}
    task = SemanticTask(Constant([1.0, 2.0, 0.5]), about, tiny(), 0, "run")
    monkeypatch.setattr(task, "log", lambda *args, **kwargs: None)  # there is no trainer
    return task


def test_loss_is_the_mean_over_labelled_pixels(task: SemanticTask) -> None:
    images = torch.zeros(2, 3, 4, 4)
    labels = torch.randint(0, 3, (2, 4, 4))
    labels[0, :3] = 255
    scores = task.model(images)
    expected = F.cross_entropy(scores, labels, ignore_index=255)
    assert task.training_step((images, labels), 0).item() == pytest.approx(expected.item())


def test_a_batch_without_labels_teaches_nothing(task: SemanticTask) -> None:
    loss = task.training_step((torch.zeros(1, 3, 4, 4), torch.full((1, 4, 4), 255)), 0)
    loss.backward()
    assert loss == 0
    assert task.model.scores.grad.abs().max() == 0


def test_divergence_is_an_error(task: SemanticTask) -> None:
    task.model.scores.data[0] = torch.nan
    with refused(r"diverged at step 0: the loss is nan; `learning_rate`"):
        task.training_step((torch.zeros(1, 3, 4, 4), torch.zeros(1, 4, 4).long()), 0)


@pytest.mark.parametrize("kept", [True, False])
def test_weights_broken_by_the_last_step_are_neither_kept_nor_measured(
    task: SemanticTask, kept: bool
) -> None:
    task.model.scores.data[0] = torch.inf
    with refused(r"step 0: `model.scores` is not finite; `learning_rate`"):
        task.on_save_checkpoint({}) if kept else task.on_validation_epoch_start()


@pytest.mark.parametrize("rate", [1, 0.1])
def test_rates_and_decay_of_every_parameter(rate: float, tiny: Callable) -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 1), DySample(8))
    settings = tiny(upsampler_rate=rate)
    task = SemanticTask(model, {"classes": ["a", "b", "c"]}, settings, 0, "run")
    made = task.configure_optimizers()
    groups = made["optimizer"].param_groups
    assert [len(group["params"]) for group in groups] == [2, 2]
    assert [group["weight_decay"] for group in groups] == [settings.weight_decay] * 2
    schedule = made["lr_scheduler"]["scheduler"]
    assert schedule.total_steps == settings.steps
    assert [group["max_lr"] for group in groups] == [
        settings.learning_rate,
        settings.learning_rate * rate,
    ]


@pytest.mark.parametrize(
    ("upsampler", "rates"),
    [("dysample", [1, 0.5 * 0.3]), ("bilinear", [0.3]), ("nearest", [0.3]), ("sapa_i", [0.3])],
)
def test_the_scale_is_of_the_upsamplers_or_else_of_the_whole_model(
    upsampler: str, rates: list[float], tiny: Callable
) -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 1), create_upsampler(upsampler, 8))
    settings = tiny(upsampler_rate=0.5, rate_scale=0.3)
    task = SemanticTask(model, {"classes": ["a", "b", "c"]}, settings, 0, "run")
    groups = task.configure_optimizers()["optimizer"].param_groups
    assert [group["max_lr"] / settings.learning_rate for group in groups] == pytest.approx(rates)
