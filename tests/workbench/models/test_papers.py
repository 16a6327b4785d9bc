"""The models of the papers through their tasks: built, trained for a step, evaluated."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dysample.workbench.models.build import find_upsamplers
from dysample.workbench.models.encoder import ImageNetColours
from dysample.workbench.settings import TASKS, settings_for
from dysample.workbench.tasks.by_name import task_class

SMALLEST = [
    ("semantic", "segformer_b0", 6),
    ("semantic", "maskformer_swin_tiny", 3),
    ("depth", "swin_tiny", 4),
    ("detection", "r50", 3),
    ("instance", "r50", 3),
    ("panoptic", "r50", 3),
]
OTHERS = [
    (task, model)
    for task in TASKS
    for model in settings_for(task, "scenes").models
    if (task, model) not in [pair[:2] for pair in SMALLEST]
]


def _task(name: str, model: str) -> tuple[Any, Any, Any]:
    settings = settings_for(
        name, "scenes", model=model, size=48, train_frames=2, val_frames=2, steps=1, batch_size=2
    )
    kind = task_class(name)
    about = kind.describe("scenes", settings)
    built = kind.build_model("dysample", {}, about, settings, 0)
    train, val = kind.load("scenes", settings)
    every = torch.arange(2)
    return kind(built, about, settings, 0, "run"), train.batch(every), val.batch(every)


def _one_step(name: str, model: str) -> Any:
    task, train, val = _task(name, model)
    task.train()
    losses = task.losses(train)
    loss = sum(losses.values())
    assert isinstance(loss, Tensor)
    assert loss.isfinite()
    loss.backward()
    moved = [p for up in find_upsamplers(task.model) for p in up.parameters()]
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in moved)
    made = task.configure_optimizers()
    made["optimizer"].step()
    task.eval()
    with torch.no_grad():
        task.update(val)
    found = task.compute()
    assert task.measures.keys() <= found.keys()
    return task


@pytest.mark.parametrize(("name", "model", "upsamplers"), SMALLEST)
def test_one_step(name: str, model: str, upsamplers: int) -> None:
    task = _one_step(name, model)
    assert len(find_upsamplers(task.model)) == upsamplers


@pytest.mark.slow
@pytest.mark.parametrize(("name", "model"), OTHERS)
def test_one_step_of_the_larger_ones(name: str, model: str) -> None:
    assert find_upsamplers(_one_step(name, model).model)


def test_colours_are_those_of_imagenet() -> None:
    """The mean colour becomes 0, one deviation more becomes 1."""
    mean, deviation = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])
    images = torch.stack([mean, mean + deviation])[:, :, None, None] * 2 - 1
    found = ImageNetColours(nn.Identity())(images)
    torch.testing.assert_close(found[:, :, 0, 0], torch.tensor([[0.0] * 3, [1.0] * 3]))


def test_detectors_take_images_as_they_are() -> None:
    task, train, _ = _task("detection", "r50")
    batch, _ = task.model.transform(train[0], None)
    assert batch.image_sizes == [(48, 48)] * 2
    assert task.model.roi_heads.box_predictor.cls_score.out_features == 6


def test_maskformer_scores_and_losses() -> None:
    task, (images, labels), _ = _task("semantic", "maskformer_swin_tiny")
    scores = task.model.eval()(images)
    assert scores.shape == (2, 8, 48, 48)
    assert (scores >= 0).all()
    # Images without any label teach that no query has found something.
    task.train()
    (loss,) = task.losses((images, torch.full_like(labels, 255))).values()
    assert loss.isfinite()
    # Where nothing is known does not matter: void is in no mask.
    torch.manual_seed(0)
    classes = [one.unique() for one in labels]
    caught: dict[str, Any] = {}
    task.model.model.register_forward_pre_hook(
        lambda _, args, kwargs: caught.update(kwargs), with_kwargs=True
    )
    labels[0, :5] = 255
    task.losses((images, labels))
    assert caught["mask_labels"][0][:, :5].sum() == 0
    assert caught["mask_labels"][0].sum() == (labels[0] != 255).sum()
    assert torch.equal(caught["class_labels"][1], classes[1])
