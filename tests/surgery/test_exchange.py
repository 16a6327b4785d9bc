"""A module that becomes an upsampler stays what it was to everybody else."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import Tensor, nn

import dysample
from dysample.surgery import replace_upsamplers

IMAGES = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))


class Rows(nn.Module):
    """The loop of every YOLO: each row knows where it reads."""

    def __init__(self) -> None:
        super().__init__()
        rows = [nn.Conv2d(3, 8, 3, 2, 1), nn.Upsample(scale_factor=2), nn.Conv2d(8, 2, 1)]
        self.model = nn.ModuleList(rows)
        for i, row in enumerate(self.model):
            row.i, row.f, row.type, row.np = i, -1, type(row).__name__, 7

    def forward(self, x: Tensor) -> Tensor:
        for row in self.model:
            assert row.f == -1
            x = row(x)
        return x


def test_attributes_stay() -> None:
    new, report = replace_upsamplers(Rows(), "dysample", example_inputs=IMAGES)
    assert [site.name for site in report.replaced] == ["model.1"]
    row = new.model[1]
    assert isinstance(row, dysample.DySample)
    assert (row.i, row.f, row.type, row.np) == (1, -1, "Upsample", 7)
    assert row.scale_factor == 2
    assert not hasattr(row, "align_corners")  # nn.Upsample's own settings say nothing any more
    for again in (copy.deepcopy(new), pickle.loads(pickle.dumps(new))):
        assert again.model[1].f == -1
        assert torch.equal(again(IMAGES), new(IMAGES))


def test_hooks_of_every_kind_stay() -> None:
    model = Rows()
    ran: list[str] = []

    def note(what: str):
        return lambda *args, **kwargs: ran.append(what)

    up = model.model[1]
    up.register_forward_pre_hook(note("forward pre"))
    up.register_forward_hook(note("forward"))
    up.register_forward_hook(note("forward with keywords"), with_kwargs=True)
    up.register_forward_hook(note("always"), always_call=True)
    up.register_full_backward_pre_hook(note("backward pre"))
    up.register_full_backward_hook(note("backward"))
    up.register_state_dict_pre_hook(note("state dict pre"))
    up.register_state_dict_post_hook(note("state dict"))
    up.register_load_state_dict_pre_hook(note("load pre"))
    up.register_load_state_dict_post_hook(note("load"))
    new, _ = replace_upsamplers(model, "dysample", example_inputs=IMAGES)
    ran.clear()
    new(IMAGES).sum().backward()
    assert sorted(ran) == sorted(
        ["forward pre", "forward", "forward with keywords", "always", "backward pre", "backward"]
    )
    ran.clear()
    new.load_state_dict(new.state_dict())
    assert ran == ["state dict pre", "state dict", "load pre", "load"]


def test_a_handle_still_removes_its_hook() -> None:
    class Held(Rows):
        def __init__(self) -> None:
            super().__init__()
            self.ran: list[int] = []
            self.handle = self.model[1].register_forward_hook(self.note)

        def note(self, *args: object) -> None:
            self.ran.append(1)

    new, _ = replace_upsamplers(Held(), "dysample", example_inputs=IMAGES)
    new(IMAGES)
    assert new.ran == [1]
    new.handle.remove()
    new(IMAGES)
    assert new.ran == [1]


@pytest.mark.parametrize("training", [True, False])
def test_training_mode_and_frozen_modules_stay(training: bool) -> None:
    model = Rows().train(training)
    model.model[1].train(not training)
    new, _ = replace_upsamplers(model, "dysample", example_inputs=IMAGES)
    assert new.training is training
    assert new.model[1].training is not training


def test_parameters_buffers_and_submodules_of_a_subclass_stay() -> None:
    class Up(nn.Upsample):
        def __init__(self) -> None:
            super().__init__(scale_factor=2, mode="bilinear")
            self.after = nn.Conv2d(8, 8, 1)
            self.gain = nn.Parameter(torch.ones(1))
            self.register_buffer("seen", torch.ones(1), persistent=False)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.up, self.head = nn.Conv2d(3, 8, 1), Up(), nn.Conv2d(8, 2, 1)

        def forward(self, x: Tensor) -> Tensor:
            x = self.up.after(self.up(self.stem(x)) * self.up.gain)
            return self.head(x * self.up.seen)

    model = Net()
    new, _ = replace_upsamplers(model, "dysample", example_inputs=IMAGES)
    assert isinstance(new.up, dysample.DySample)
    assert model.state_dict().keys() < new.state_dict().keys()
    assert "up.seen" not in new.state_dict()
    torch.testing.assert_close(new(IMAGES), model(IMAGES), rtol=0, atol=1e-5)


@pytest.mark.parametrize("where", ["list", "dict", "tuple", "twice"])
def test_whoever_holds_the_module_holds_the_upsampler(where: str) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.head = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 2, 1)
            self.up = nn.Upsample(scale_factor=2, mode="bilinear")
            self.held = {
                "list": [self.up],
                "dict": {0: self.up},
                "tuple": (self.up,),
                "twice": nn.ModuleList([self.up]),
            }[where]

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.held[0](self.stem(x)))

    new, report = replace_upsamplers(Net(), "dysample", example_inputs=IMAGES)
    assert [site.name for site in report.replaced] == ["up"]
    assert new.held[0] is new.up
    new(IMAGES).square().sum().backward()
    assert new.up.offset.weight.grad.abs().max() > 0


@pytest.mark.parametrize("name", ["groups", "macs", "offset"])
def test_an_attribute_that_the_upsampler_needs_for_itself(name: str) -> None:
    model = Rows()
    setattr(model.model[1], name, 1)
    with pytest.raises(
        ValueError, match=rf"model.1: its `{name}` would be lost: DySample has one of its own"
    ):
        replace_upsamplers(model, "dysample", example_inputs=IMAGES)


def test_a_transposed_convolution_with_attributes_and_computed_weights() -> None:
    model = Rows()
    model.model[1] = nn.ConvTranspose2d(8, 8, 2, 2)
    model.model[1].f = -1
    new, _ = replace_upsamplers(model, "dysample", example_inputs=IMAGES, where="model.1")
    assert new.model[1].f == -1
    assert {key for key in new.state_dict() if key.startswith("model.1.")} == {
        "model.1.offset.weight",
        "model.1.offset.bias",
    }
    nn.utils.parametrizations.weight_norm(model.model[1])
    with pytest.raises(ValueError, match=r"model.1: more than its weight: a subclass, or a weight"):
        replace_upsamplers(model, "dysample", example_inputs=IMAGES, where="model.1")
