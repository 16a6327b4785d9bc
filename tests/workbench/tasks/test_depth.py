import pytest
import torch
from torch import nn

from dysample.workbench.data.scene_set import describe_scenes, load_scene_sets
from dysample.workbench.settings import settings_for
from dysample.workbench.tasks.depth import DepthTask

SETTINGS = settings_for("depth", "scenes", size=32, train_frames=3, val_frames=2)


class Constant(nn.Module):
    """The same depth everywhere, which is its parameter."""

    def __init__(self, metres: float) -> None:
        super().__init__()
        self.metres = nn.Parameter(torch.tensor(metres))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.metres.expand(len(images), *images.shape[-2:])


def _task(metres: float) -> DepthTask:
    return DepthTask(Constant(metres), describe_scenes(SETTINGS, "depth"), SETTINGS, 0, "run")


def test_loss_is_the_mean_over_known_pixels() -> None:
    depths = torch.tensor([[[1.0, 4.0]], [[2.0, 0.0]]])
    losses = _task(2.0).losses((torch.zeros(2, 3, 1, 2), depths))
    expected = (torch.tensor(2.0).log() * 2 / 3).item()
    assert losses["log_l1"].item() == pytest.approx(expected)


def test_a_batch_of_unknown_depth_teaches_nothing() -> None:
    task = _task(2.0)
    loss = task.losses((torch.zeros(1, 3, 2, 2), torch.zeros(1, 2, 2)))["log_l1"]
    loss.backward()
    assert loss == 0
    assert task.model.metres.grad == 0


def test_a_batch_is_centred_images_and_depths() -> None:
    train, _ = DepthTask.load("scenes", SETTINGS)
    images, depths = train.batch(torch.tensor([2, 0]))
    colours = torch.from_numpy(train.frames.image)[[2, 0]].permute(0, 3, 1, 2)
    assert torch.allclose((images + 1) * 127.5, colours.float(), atol=1e-4)
    assert torch.equal(depths, torch.from_numpy(train.frames.depth)[[2, 0]])
    assert images.is_contiguous(memory_format=torch.channels_last)


def test_measures_are_what_is_computed() -> None:
    task = _task(2.0)
    train, _ = load_scene_sets(task.about, "depth", DepthTask.batch)
    task.update(train.batch(torch.arange(3)))
    assert task.compute().keys() == task.measures.keys()
    lower = {key for key, measure in task.measures.items() if not measure.higher_is_better}
    assert lower == {"abs_rel", "sq_rel", "rmse", "rmse_log", "log10"}
