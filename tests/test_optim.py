"""Groups hold every trained parameter once; the rate of the upsamplers is scaled."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from dysample import CARAFE, FADE, Bilinear, DySample, parameter_groups, replace_upsamplers


class Tied(nn.Module):
    """Two sites share an upsampler, and a convolution shares its offset's weight."""

    def __init__(self) -> None:
        super().__init__()
        self.up = self.again = DySample(8)
        self.like = nn.Conv2d(8, 32, 1)
        self.like.weight = self.up.offset.weight


def _replaced() -> nn.Module:
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Upsample(scale_factor=2), nn.Conv2d(8, 2, 1))
    return replace_upsamplers(model, "dysample", example_inputs=torch.randn(1, 3, 8, 8))[0]


HOSTS: dict[str, Callable[[], nn.Module]] = {
    "sequential": lambda: nn.Sequential(nn.Conv2d(3, 8, 1), DySample(8, dyscope=True)),
    "alone": lambda: CARAFE(16),
    "projecting": lambda: nn.ModuleDict({"a": DySample(8, out_channels=4), "b": FADE(8)}),
    "tied": Tied,
    "replaced": _replaced,
    "compiled": lambda: torch.compile(nn.Sequential(nn.Conv2d(3, 8, 1), DySample(8))),
}


@pytest.mark.parametrize("host", HOSTS)
def test_every_parameter_is_in_one_group(host: str) -> None:
    model = HOSTS[host]()
    groups = parameter_groups(model, 0.01, weight_decay=0.02)
    held = [id(p) for group in groups for p in group["params"]]
    assert sorted(held) == sorted(id(p) for p in model.parameters())
    own = {id(p) for m in model.modules() if isinstance(m, (DySample, CARAFE, FADE))
           for p in m.parameters()}  # fmt: skip
    rates = {id(p): group["lr"] for group in groups for p in group["params"]}
    assert own
    assert rates == {one: 0.001 if one in own else 0.01 for one in rates}
    assert {group["weight_decay"] for group in groups} == {0.02}
    optimizer = torch.optim.AdamW(groups)  # refuses a parameter in two groups
    assert [group["name"] for group in optimizer.param_groups] == [g["name"] for g in groups]


def test_decay_is_the_optimizers_own_if_not_given() -> None:
    groups = parameter_groups(
        nn.Sequential(nn.Conv2d(3, 8, 1), DySample(8)), 1, upsampler_lr_scale=0.5
    )
    assert [set(group) for group in groups] == [{"name", "params", "lr"}] * 2
    assert {
        g["weight_decay"] for g in torch.optim.AdamW(groups, weight_decay=0.3).param_groups
    } == {0.3}
    assert [group["lr"] for group in groups] == [1, 0.5]


def test_frozen_parameters_and_empty_groups_are_left_out() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 1), DySample(8))
    model[0].requires_grad_(False)
    (group,) = parameter_groups(model, 0.1)
    assert (group["name"], len(group["params"])) == ("upsamplers", 2)
    (group,) = parameter_groups(nn.Sequential(nn.Conv2d(3, 8, 1), Bilinear(8)), 0.1)
    assert (group["name"], len(group["params"])) == ("model", 2)


def test_a_one_cycle_schedule_keeps_the_ratio() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 1), DySample(8))
    groups = parameter_groups(model, 0.1, upsampler_lr_scale=0.25)
    optimizer = torch.optim.SGD(groups)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, [group["lr"] for group in groups], total_steps=5
    )
    for _ in range(4):
        one, other = (group["lr"] for group in optimizer.param_groups)
        assert other == pytest.approx(one / 4)
        optimizer.step()
        schedule.step()


@pytest.mark.parametrize(
    ("model", "options", "error", "message"),
    [
        ("x", {}, TypeError, r"`model` must be a module, not str"),
        (nn.Conv2d(1, 1, 1), {}, ValueError, r"`model` must hold upsamplers of dysample, but"),
        (Bilinear(8), {}, ValueError, r"`model` must have parameters that are trained, but"),
        (DySample(8), {"lr": 0}, ValueError, r"`lr` \(=0\) must be finite and above 0"),
        (DySample(8), {"lr": "a"}, TypeError, r"`lr` \(='a'\) must be a number"),
        (DySample(8), {"upsampler_lr_scale": 0}, ValueError, r"`upsampler_lr_scale` \(=0\) must"),
        (DySample(8), {"upsampler_lr_scale": -1.0}, ValueError, r"`upsampler_lr_scale` \(=-1.0\)"),
        (DySample(8), {"weight_decay": -1}, ValueError, r"`weight_decay` \(=-1\) must be"),
    ],
)  # fmt: skip
def test_refusals(model: nn.Module, options: dict, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        parameter_groups(model, **{"lr": 0.1, **options})


def test_a_step_of_mmengine_keeps_the_rates() -> None:
    optim = pytest.importorskip("mmengine.optim")
    model = nn.Sequential(nn.Conv2d(3, 8, 1), DySample(8), nn.Conv2d(8, 1, 1))
    wrapper = optim.OptimWrapper(torch.optim.AdamW(parameter_groups(model, 1e-2)))
    schedule = optim.LinearLR(wrapper, start_factor=0.5, begin=0, end=4)
    before = model[1].offset.weight.clone()
    for _ in range(3):
        wrapper.update_params(model(torch.randn(2, 3, 4, 4)).square().mean())
        schedule.step()
        one, other = wrapper.get_lr()["lr"]
        assert other == pytest.approx(one / 10)
    assert not torch.equal(model[1].offset.weight, before)


def test_transformers_trainer_keeps_the_rates(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("accelerate")

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Sequential(nn.Conv2d(3, 8, 1), DySample(8))

        def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"loss": self.net(images).square().mean()}

    model = Model()
    optimizer = torch.optim.AdamW(parameter_groups(model, lr=1e-2))
    arguments = transformers.TrainingArguments(
        output_dir=tmp_path, max_steps=3, use_cpu=True, report_to=[], disable_tqdm=True
    )
    trainer = transformers.Trainer(
        model, arguments, train_dataset=[{"images": torch.randn(3, 4, 4)}] * 8,
        optimizers=(optimizer, None),
    )  # fmt: skip
    trainer.train()
    one, other = (group["lr"] for group in trainer.optimizer.param_groups)
    assert other == pytest.approx(one / 10)
    assert [len(group["params"]) for group in trainer.optimizer.param_groups] == [2, 2]
