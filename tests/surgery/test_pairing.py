"""Which calls are one step in eval mode and in training mode; what is not plain is refused."""

from __future__ import annotations

import pickle

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dysample.surgery import replace_upsamplers
from support.surgery_net import IMAGES, Small, lively, runs_of, sizes_of


class TwoWays(Small):
    """The same line is reached from another one in training mode."""

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        if self.training:
            return self.head(self.step(x))
        return self.head(self.step(x))


def test_one_step_reached_in_two_ways_is_one_upsampler() -> None:
    new, report = replace_upsamplers(TwoWays(), "dysample", example_inputs=IMAGES)
    assert [site.name for site in report.replaced] == [":0"]
    assert list(new.upsamplers) == ["0"]
    assert runs_of(new) == {True: 1, False: 1}


class Sparse(nn.Module):
    """Calls another method in training mode, as RF-DETR does."""

    def __init__(self) -> None:
        super().__init__()
        self.net = SparseNet()

    def forward(self, x: Tensor) -> Tensor:
        return (self.net.sparse if self.training else self.net.forward)(x)


class SparseNet(Small):
    def sparse(self, x: Tensor) -> Tensor:
        return self.head(F.interpolate(self.stem(x), scale_factor=2, mode="bilinear"))


def test_a_step_in_another_method_in_training_mode_is_one_upsampler(fresh_dynamo) -> None:
    model = Sparse()
    new, report = replace_upsamplers(model, "dysample", example_inputs=IMAGES)
    assert [site.name for site in report.replaced] == ["net:0"]
    assert [name for name in new.state_dict() if "upsamplers" in name] == [
        "net.upsamplers.0.offset.weight",
        "net.upsamplers.0.offset.bias",
    ]
    again = pickle.loads(pickle.dumps(lively(new).train()))
    assert runs_of(new) == {True: 1, False: 1}
    new.train()
    assert torch.equal(again(IMAGES), new(IMAGES))
    assert not torch.allclose(new(IMAGES), model.train()(IMAGES), atol=1e-4)
    compiled = torch.compile(new, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(IMAGES), new(IMAGES), rtol=0, atol=1e-5)
    _, report = replace_upsamplers(new, "dysample", example_inputs=IMAGES, dry_run=True)
    assert [d.reason for d in report.decisions if d.action == "replaced"] == []


class Twice(nn.Module):
    """Runs the forward of a net twice in eval mode, and calls another method in training mode."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        net = self.net.other if self.training else self.net.forward
        return net(x) + net(x.flip(-1))


class OneStep(Small):
    def other(self, x: Tensor) -> Tensor:
        return self.head(F.interpolate(self.stem(x), scale_factor=2, mode="bilinear"))


class TwoSteps(Small):
    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.step(self.step(self.stem(x)).relu()))

    def other(self, x: Tensor) -> Tensor:
        x = F.interpolate(self.stem(x), scale_factor=2, mode="bilinear")
        return self.head(F.interpolate(x.relu(), scale_factor=2, mode="bilinear"))


class ByFunctions(OneStep):
    """What calls is a generator's frame, and a function that is no method."""

    def other(self, x: Tensor) -> Tensor:
        return self.head(next(enlarged(self.stem(one)) for one in [x]))


def enlarged(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear")


@pytest.mark.parametrize(("net", "number"), [(OneStep, 1), (TwoSteps, 2), (ByFunctions, 1)])
def test_a_method_that_is_called_as_often_as_the_forward_runs(net, number, fresh_dynamo) -> None:
    model = Twice(net())
    new, report = replace_upsamplers(model, "dysample", example_inputs=IMAGES)
    assert [site.name for site in report.replaced] == [f"net:{i}" for i in range(number)]
    ups = list(new.net.upsamplers.values())
    for training in (True, False):
        found, expected = new.train(training)(IMAGES), model.train(training)(IMAGES)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
        for up in ups:
            up.offset.weight.grad = None
        found.square().sum().backward()
        assert all(up.offset.weight.grad.abs().max() > 0 for up in ups)
    again = pickle.loads(pickle.dumps(lively(new).train()))
    widths = [sizes_of(up) for up in ups]
    assert torch.equal(again(IMAGES), new(IMAGES))
    assert widths == [[16, 16], [32, 32]][:number]
    assert not torch.allclose(new(IMAGES), model.train()(IMAGES), atol=1e-4)
    compiled = torch.compile(new, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(IMAGES), new(IMAGES), rtol=0, atol=1e-5)


class MoreOften(OneStep):
    """One of its calls may be a step that the forward does not take."""

    def other(self, x: Tensor) -> Tensor:
        return sum(F.interpolate(self.stem(x), scale_factor=2, mode="bilinear") for _ in range(2))


class OtherChannels(OneStep):
    def other(self, x: Tensor) -> Tensor:
        self.fewer = not getattr(self, "fewer", True)
        x = self.stem(x)[:, : 4 if self.fewer else 8]
        return F.interpolate(x, scale_factor=2, mode="bilinear").mean()


class OtherMode(OneStep):
    def other(self, x: Tensor) -> Tensor:
        self.nearest = not getattr(self, "nearest", True)
        mode = "nearest" if self.nearest else "bilinear"
        return self.head(F.interpolate(self.stem(x), scale_factor=2, mode=mode))


class OtherOrder(TwoSteps):
    """The finer step comes first."""

    def other(self, x: Tensor) -> Tensor:
        x = F.interpolate(self.stem(x).repeat(1, 1, 2, 2), scale_factor=2, mode="bilinear")
        return self.head(F.interpolate(x[:, :, ::4, ::4], scale_factor=2, mode="bilinear"))


@pytest.mark.parametrize("net", [MoreOften, OtherChannels, OtherMode, OtherOrder])
def test_calls_of_another_method_that_may_be_other_steps_are_refused(net) -> None:
    with pytest.raises(ValueError, match=r"net:0.*: in training mode it runs in other ways, at te"):
        replace_upsamplers(Twice(net()), "dysample", example_inputs=IMAGES)


class Elsewhere(Sparse):
    """In training mode another module resizes."""

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            x = F.interpolate(self.net.stem(x), scale_factor=2, mode="bilinear")
            return self.net.head(x)
        return self.net(x)


def test_a_step_that_does_not_run_in_training_mode() -> None:
    with pytest.raises(ValueError, match="net:0: the step does not run in training mode: its"):
        replace_upsamplers(Elsewhere(), "dysample", example_inputs=IMAGES)
    _, report = replace_upsamplers(Elsewhere(), "bilinear", example_inputs=IMAGES)
    assert report.unchanged


class Ambiguous(Small):
    """One line is reached twice in training mode, on other channels."""

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        if self.training:
            x = torch.cat((self.step(x[:, :4]), self.step(x[:, 4:])), dim=1)
            return self.head(x)
        return self.head(self.step(x))


def test_steps_that_cannot_be_told_apart_are_refused() -> None:
    with pytest.raises(ValueError, match=r":0: in training mode it runs in other ways, at surg"):
        replace_upsamplers(Ambiguous(), "dysample", example_inputs=IMAGES)
