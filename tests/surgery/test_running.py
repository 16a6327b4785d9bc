"""Trial runs leave no trace, and go the same way each time."""

from __future__ import annotations

import pickle
import random

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dysample.surgery import find_sites, replace_upsamplers
from dysample.surgery.verify import train
from support.surgery_net import IMAGES, Small

NORMS: dict[str, nn.Module] = {}


class Registered(Small):
    """Reaches its layers by a registry, which copies share with the model."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.mid = nn.BatchNorm2d(8), nn.Conv2d(8, 8, 1)
        NORMS["norm"] = nn.Sequential(self.norm, self.mid)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.step(NORMS["norm"](self.stem(x))))


def test_modules_that_copies_share_with_the_model_stay_as_they_are() -> None:
    model = Registered()
    model(IMAGES).sum().backward()
    before = pickle.dumps(model)
    gradients = [p.grad.clone() for p in model.parameters()]
    find_sites(model, IMAGES)
    assert pickle.dumps(model) == before
    _, report = replace_upsamplers(model, "dysample", example_inputs=IMAGES)
    assert report.modes == ("eval", "training")
    assert pickle.dumps(model) == before
    assert all(torch.equal(p.grad, g) for p, g in zip(model.parameters(), gradients))


class LeavesOut(nn.Module):
    """Leaves out layers at random in training mode."""

    def __init__(self, draw) -> None:
        super().__init__()
        self.draw, self.stem = draw, nn.Conv2d(3, 8, 1)
        self.ups = nn.ModuleList(nn.Upsample(scale_factor=2, mode="bilinear") for _ in range(6))
        self.convs = nn.ModuleList(nn.Conv2d(8, 8, 1) for _ in range(6))

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x[:, :, :2, :2])
        for up, conv in zip(self.ups, self.convs):
            if not self.training or self.draw() < 0.5:
                x = conv(up(x))
        return x


@pytest.mark.parametrize("draw", [random.random, lambda: torch.rand(())])
def test_a_model_that_draws_at_random_goes_the_same_way_in_every_run(draw) -> None:
    reports = []
    for _ in range(2):
        draw()
        _, report = replace_upsamplers(LeavesOut(draw), "dysample", example_inputs=IMAGES)
        reports.append([(d.site.name, d.reason) for d in report.decisions])
    assert reports[0] == reports[1]
    assert {reason for _, reason in reports[0]} == {
        "unchanged at first",
        "the step does not run in training mode: its upsampler would never be trained",
    }


def test_the_random_numbers_of_the_process_stay_as_they_are() -> None:
    models = [LeavesOut(random.random), LeavesOut(lambda: torch.rand(()))]
    random.random()  # not where the runs of other tests began or ended
    states = random.getstate(), torch.get_rng_state()
    for model in models:
        train(model, IMAGES)
    assert random.getstate() == states[0]
    assert torch.equal(torch.get_rng_state(), states[1])


class Switched(Small):
    """Goes another way after its own `eval`."""

    fast = False

    def eval(self) -> Switched:
        self.fast = True
        return super().eval()

    def train(self, mode: bool = True) -> Switched:
        self.fast = self.fast and not mode
        return super().train(mode)

    def step(self, x: Tensor) -> Tensor:
        if self.fast:
            return F.interpolate(x, scale_factor=2, mode="bilinear")
        return F.interpolate(x, scale_factor=4, mode="bilinear")


def test_the_model_s_own_eval_is_what_switches() -> None:
    (site,) = find_sites(Switched(), IMAGES)
    assert site.to_size == (32, 32)
    model = Switched()
    new, report = replace_upsamplers(model, "dysample", example_inputs=IMAGES)
    assert report.modes == ("eval", "training")
    torch.testing.assert_close(new.eval()(IMAGES), model.eval()(IMAGES), rtol=0, atol=1e-5)
    torch.testing.assert_close(new.train()(IMAGES), model.train()(IMAGES), rtol=0, atol=1e-5)
