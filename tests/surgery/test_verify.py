"""What is reported as replaced has run; what cannot be told apart or does not run is put back."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import dysample
from dysample.surgery import replace_upsamplers
from support.surgery_net import IMAGES, Small, lively, runs_of, sizes_of


class Closure(Small):
    def __init__(self) -> None:
        super().__init__()
        self.up = nn.Upsample(scale_factor=2, mode="bilinear")
        up = self.up
        self.call = lambda x: up.forward(x)

    def step(self, x: Tensor) -> Tensor:
        return self.call(x)


def test_a_module_behind_a_closure_is_replaced_where_it_is_called() -> None:
    """A copy of the model shares the closure, and with it the module of the model before."""
    model = Closure()
    new, report = replace_upsamplers(model, "dysample", example_inputs=IMAGES)
    assert [site.name for site in report.replaced] == [":0"]
    assert type(model.up) is type(new.up) is nn.Upsample
    assert runs_of(new) == {True: 1, False: 1}


class Original(Small):
    """Runs the modules of the model that it was copied from, such as a registry of modules."""

    def __init__(self) -> None:
        super().__init__()
        self.up = nn.Upsample(scale_factor=2, mode="bilinear")
        self.other = nn.Upsample(scale_factor=2, mode="bilinear")
        self.last = nn.Conv2d(2, 2, 1)

    def __deepcopy__(self, memo: dict[int, object]) -> Original:
        new = copy.copy(self)
        memo[id(self)] = new
        new.__dict__ = copy.deepcopy(self.__dict__, memo)
        new.__dict__["_up"] = self.__dict__.get("_up") or [nn.Upsample(scale_factor=2)]
        return new

    def forward(self, x: Tensor) -> Tensor:
        fixed = self.__dict__.get("_up")
        x = self.up(self.stem(x)) if fixed is None or not self.plain() else fixed[0](self.stem(x))
        return self.last(self.other(self.head(x)))

    def plain(self) -> bool:
        """Whether surgery has been here."""
        return isinstance(self.up, dysample.Upsampler)


def test_a_module_that_the_forward_does_not_reach_is_put_back() -> None:
    new, report = replace_upsamplers(Original(), "dysample", groups=1, example_inputs=IMAGES)
    assert [site.name for site in report.replaced] == ["other"]
    (refused,) = [d for d in report.decisions if d.action == "refused"]
    assert refused.site.name == "up"
    assert refused.reason.startswith("its upsampler does not run in eval mode: ")
    assert type(new.up) is nn.Upsample


class Early(Small):
    """Another resize comes first, in training mode alone."""

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        if self.training:
            x = F.interpolate(x, scale_factor=0.5)
        return self.head(self.step(x))


class Doubled(Small):
    """Another resize on as many channels comes first, at some sizes."""

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        if x.shape[-1] > 16:
            x = F.interpolate(x, scale_factor=2, mode="nearest")
        return self.head(self.step(x))


@pytest.mark.parametrize("backend", [None, "aot_eager"])
def test_calls_that_come_first_do_not_shift_the_others(backend: str | None, fresh_dynamo) -> None:
    for model in (Early(), Doubled()):
        new, report = replace_upsamplers(model, "dysample", example_inputs=IMAGES)
        assert [site.name for site in report.replaced] == [":0"]
        run = new if backend is None else torch.compile(new, fullgraph=True, backend=backend)
        for training in (True, False):
            for images in (IMAGES, torch.rand(2, 3, 20, 20)):
                model.train(training)
                new.train(training)
                torch.testing.assert_close(run(images), model(images), rtol=0, atol=1e-5)
        sizes = sizes_of(lively(new).upsamplers["0"])
        new.eval()(torch.rand(1, 3, 20, 20))
        assert sizes == [40 if isinstance(model, Doubled) else 20]


class Direct(nn.Module):
    """Calls a forward without the module in eval mode, as RF-DETR calls its segmentation head."""

    def __init__(self) -> None:
        super().__init__()
        self.net = Small()
        self.rows = nn.Sequential(
            nn.Conv2d(2, 8, 1), nn.Upsample(scale_factor=2), nn.Conv2d(8, 2, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            return self.rows(self.net(x))
        x = self.net.forward(x)
        for row in self.rows:
            x = row.forward(x)
        return x


def test_forwards_that_are_called_without_the_module() -> None:
    new, report = replace_upsamplers(Direct(), "dysample", example_inputs=IMAGES)
    assert [site.name for site in report.replaced] == ["net:0", "rows.1"]
    assert report.modes == ("eval", "training")
    for training in (True, False):
        new.train(training)(IMAGES).square().sum().backward()
        for up in (new.net.upsamplers["0"], new.rows[1]):
            assert up.offset.weight.grad.abs().max() > 0
            up.offset.weight.grad = None


class Checkpointed(Small):
    def __init__(self, reentrant: bool) -> None:
        super().__init__()
        self.reentrant = reentrant

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        if self.training:
            return self.head(checkpoint(self.step, x, use_reentrant=self.reentrant))
        return self.head(self.step(x))


@pytest.mark.parametrize(
    ("reentrant", "match"),
    [
        (False, ":0: the model's backward pass does not run with its upsamplers: CheckpointError"),
        (True, ":0: its weights get no gradient in training mode"),
    ],
)
def test_a_piece_of_a_forward_that_is_checkpointed(reentrant: bool, match: str) -> None:
    """The recomputation would interpolate."""
    with pytest.raises(ValueError, match=match):
        replace_upsamplers(Checkpointed(reentrant), "dysample", example_inputs=IMAGES)


class CheckpointedRows(nn.Module):
    """Whole modules are checkpointed: the backward pass runs them once more."""

    def __init__(self, reentrant: bool) -> None:
        super().__init__()
        self.stem, self.up = nn.Conv2d(3, 3, 1), nn.Upsample(scale_factor=2, mode="bilinear")
        self.net, self.reentrant = Small(), reentrant

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for row in (self.up, self.net):
            x = checkpoint(row, x, use_reentrant=self.reentrant) if self.training else row(x)
        return x


@pytest.mark.parametrize("reentrant", [True, False])
def test_modules_that_are_checkpointed(reentrant: bool) -> None:
    model = CheckpointedRows(reentrant)
    new, report = replace_upsamplers(model, "dysample", groups=1, example_inputs=IMAGES)
    assert [site.name for site in report.replaced] == ["up", "net:0"]
    out = new.train()(IMAGES)
    torch.testing.assert_close(out, model.train()(IMAGES), rtol=0, atol=1e-5)
    out.square().sum().backward()
    for up in (new.up, new.net.upsamplers["0"]):
        assert up.offset.weight.grad.abs().max() > 0


class Frozen(Small):
    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            x = self.step(self.stem(x))
        return self.head(x)


def test_a_step_without_gradients_is_refused_but_for_upsamplers_that_do_not_learn() -> None:
    with pytest.raises(ValueError, match=":0: its weights get no gradient in training mode"):
        replace_upsamplers(Frozen(), "dysample", example_inputs=IMAGES)
    _, report = replace_upsamplers(Frozen(), "nearest", example_inputs=IMAGES)
    assert [site.name for site in report.replaced] == [":0"]


class Detector(Small):
    def forward(self, x: Tensor, targets: Tensor | None = None) -> Tensor:
        if self.training and targets is None:
            raise ValueError("targets should not be none\nwhen in training mode")
        return super().forward(x)


def test_a_model_that_does_not_train_on_the_example() -> None:
    _, report = replace_upsamplers(Detector(), "dysample", example_inputs=IMAGES)
    assert report.modes == ("eval",)
    assert "seen to run in eval mode; the model does not train on the" in str(report)
    assert "ValueError: targets should not be none" in report.note
    targets = torch.zeros(1)
    _, report = replace_upsamplers(Detector(), "dysample", example_inputs=(IMAGES, targets))
    assert report.modes == ("eval", "training")
    assert report.note == ""


class Pooled(Small):
    """A batch norm over single values, as in every ASPP."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 8, 1), nn.BatchNorm2d(8))

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        return self.head(self.step(x * self.pool(x)))


def test_a_batch_of_one_that_does_not_train_is_doubled() -> None:
    _, report = replace_upsamplers(Pooled(), "dysample", example_inputs=IMAGES[:1])
    assert report.modes == ("eval", "training")


def test_what_the_trials_leave_behind_is_not_left_in_the_models() -> None:
    class Counting(Pooled):
        def forward(self, x: Tensor) -> Tensor:
            self.seen = getattr(self, "seen", 0) + 1
            x.add_(1)
            return super().forward(x)

    model, images = Counting(), IMAGES.clone()
    new, _ = replace_upsamplers(model, "dysample", example_inputs=images)
    for one in (model, new):
        assert not hasattr(one, "seen")
        assert one.pool[2].num_batches_tracked == 0
        assert all(p.grad is None for p in one.parameters())
    assert torch.equal(images, IMAGES)


def test_a_claim_of_no_change_is_what_the_run_shows() -> None:
    class Biased(dysample.Bilinear):
        def upsample(self, x, guide, size):
            return super().upsample(x, guide, size) + 1

    dysample.register_upsampler("biased", Biased)
    try:
        _, report = replace_upsamplers(Small(), "biased", example_inputs=IMAGES)
    finally:
        from dysample import registry

        del registry._ENTRIES["biased"]
    assert not report.unchanged
    assert report.decisions[0].reason.startswith("changes at once: by ")


def test_a_model_that_cannot_be_copied() -> None:
    model = Small()
    model.cache = model.stem(IMAGES)
    with pytest.raises(
        ValueError, match=r"`model` \(Small\) must be one that copy.deepcopy copies"
    ):
        dysample.find_sites(model, IMAGES)


def test_under_inference_mode() -> None:
    model = Small()
    with torch.inference_mode():
        new, report = replace_upsamplers(model, "dysample", example_inputs=torch.rand(2, 3, 8, 8))
    assert report.modes == ("eval", "training")
    new(IMAGES).square().sum().backward()
    assert new.upsamplers["0"].offset.weight.grad.abs().max() > 0


def test_on_meta() -> None:
    with torch.device("meta"):
        model, images = Small(), torch.rand(2, 3, 8, 8)
    new, report = replace_upsamplers(model, "dysample", example_inputs=images)
    assert [site.name for site in report.replaced] == [":0"]
    assert {p.device.type for p in new.parameters()} == {"meta"}
