from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

import dysample
from dysample.surgery import find_sites, replace_upsamplers
from dysample.surgery.reroute import is_rerouted
from surgery_net import IMAGE, STEPS, Block, Net


def names(sites: tuple[dysample.surgery.Site, ...]) -> list[str]:
    return [site.name for site in sites]


@pytest.fixture
def net() -> Net:
    return Net().eval()


@pytest.fixture
def new(net: Net) -> nn.Module:
    return replace_upsamplers(net, "dysample", example_inputs=IMAGE)[0]


def test_report(net: Net) -> None:
    new, report = replace_upsamplers(net, "dysample", example_inputs=IMAGE)
    assert names(report.replaced) == STEPS
    assert names(report.left_alone) == ["deconv", ":1"]
    assert report.refused == ()
    assert report.unchanged
    assert "3 replaced by dysample, 2 left alone, 0 refused" in str(report)
    assert [d.reason for d in report.decisions if d.action == "left alone"] == [
        "learned already",
        "makes the map smaller",
    ]
    assert isinstance(new.up, dysample.DySample)
    assert isinstance(new, Net)
    assert isinstance(new.block, Block)


@pytest.mark.parametrize("size", [(21, 26), (16, 16), (33, 18)])
def test_bilinear_steps_stay_as_they_are_at_first(net: Net, new: nn.Module, size) -> None:
    images = torch.rand(2, 3, *size)
    torch.testing.assert_close(new(images), net(images), rtol=0, atol=1e-5)


def test_every_upsampler_runs_at_its_step(net: Net, new: nn.Module) -> None:
    seen = []
    for name, module in new.named_modules():
        if isinstance(module, dysample.Upsampler):
            module.register_forward_hook(
                lambda up, given, result, name=name: seen.append((name, tuple(result.shape[2:])))
            )
    new(IMAGE)
    expected = [site.to_size for site in find_sites(net, IMAGE) if site.name in STEPS]
    assert seen == list(zip(["block.upsamplers.0", "up", "upsamplers.0"], expected))


def test_the_given_model_is_untouched(net: Net) -> None:
    expected, state = net(IMAGE), copy.deepcopy(net.state_dict())
    new, _ = replace_upsamplers(net, "carafe", example_inputs=IMAGE)
    assert type(net) is Net
    assert torch.equal(net(IMAGE), expected)
    assert net.state_dict().keys() == state.keys()
    kept = new.state_dict()
    assert all(torch.equal(value, kept[key]) for key, value in state.items())


def test_dry_run_reports_and_changes_nothing(net: Net) -> None:
    same, report = replace_upsamplers(net, "carafe", example_inputs=IMAGE, dry_run=True)
    assert same is net
    assert names(report.replaced) == STEPS
    assert not report.unchanged
    assert report.decisions[0].reason == "changes at once: random weights"
    assert not any(isinstance(module, dysample.Upsampler) for module in net.modules())


@pytest.mark.parametrize("name", dysample.list_upsamplers(guided=False))
def test_every_upsampler_without_a_guide(net: Net, name: str) -> None:
    where = ["block:0", "up"]  # not all take a fractional scale
    new, report = replace_upsamplers(net, name, example_inputs=IMAGE, where=where)
    assert names(report.replaced) == where
    assert new(IMAGE).shape == net(IMAGE).shape
    # What is claimed of the start is what happens.
    assert torch.allclose(new(IMAGE), net(IMAGE), atol=1e-5) == report.unchanged


def test_where_asks_for_others(net: Net) -> None:
    asked = {"where": ["deconv", ":1"], "example_inputs": IMAGE}
    new, report = replace_upsamplers(net, "dysample", groups=2, **asked)
    assert names(report.replaced) == ["deconv", ":1"]
    assert new.deconv.out_channels == 6
    assert new(IMAGE).shape == net(IMAGE).shape
    _, report = replace_upsamplers(
        net, "dysample", example_inputs=IMAGE, where=lambda site: site.kind == "module"
    )
    assert names(report.replaced) == ["up"]
    assert {d.reason for d in report.decisions if d.site.name == "block:0"} == {"not asked for"}


def test_where_that_matches_nothing(net: Net) -> None:
    with pytest.raises(
        ValueError, match=r"`where` \(='decoder\*'\) must match a site: block:0, up"
    ):
        replace_upsamplers(net, "carafe", example_inputs=IMAGE, where="decoder*")


def test_refusals_have_a_reason(net: Net) -> None:
    _, report = replace_upsamplers(
        net, "dysample", groups=3, example_inputs=IMAGE, where=["up", "deconv"], dry_run=True
    )
    assert names(report.replaced) == []
    assert [d.reason for d in report.decisions if d.action == "refused"] == [
        "`groups` (=3) must divide in_channels (=8)",
        "`groups` (=3) must divide in_channels (=8)",
    ]
    _, report = replace_upsamplers(net, "sapa_b", example_inputs=IMAGE, dry_run=True)
    reasons = [d.reason for d in report.decisions if d.action == "refused"]
    assert all(reason.startswith("no recipe knows a guide in ") for reason in reasons)
    assert [reason.split(".")[-1] for reason in reasons] == ["Block", "Upsample", "Net"]


def test_a_model_in_which_nothing_is_replaced(net: Net) -> None:
    with pytest.raises(
        ValueError, match=r"`model` \(Net\) must have a step .*: 0 replaced by fade"
    ):
        replace_upsamplers(net, "fade", example_inputs=IMAGE)


@pytest.mark.parametrize(
    ("name", "options", "error", "match"),
    [
        ("dysampel", {}, ValueError, "did you mean dysample"),
        ("dysample", {"gruops": 2}, TypeError, "`gruops` must be an option"),
    ],
)
def test_wrong_names_are_told_before_the_model_runs(name, options, error, match) -> None:
    class Never(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise AssertionError

    with pytest.raises(error, match=match):
        replace_upsamplers(Never(), name, example_inputs=IMAGE, **options)


def test_the_upsamplers_take_dtype_and_mode(net: Net) -> None:
    net.double().train()
    new, _ = replace_upsamplers(net, "dysample", example_inputs=IMAGE.double())
    assert {parameter.dtype for parameter in new.parameters()} == {torch.float64}
    assert all(module.training for module in new.modules())


def test_a_second_operation(net: Net, new: nn.Module) -> None:
    """On modules whose calls were replaced it is refused; elsewhere it works."""
    assert is_rerouted(new)
    twice, report = replace_upsamplers(
        new, "dysample", groups=2, example_inputs=IMAGE, where="deconv"
    )
    assert names(report.replaced) == ["deconv"]
    _, report = replace_upsamplers(new, "bilinear", example_inputs=IMAGE, where=":*", dry_run=True)
    assert [d.reason for d in report.decisions if d.action == "refused"] == [
        "calls of this module were replaced before: replace all of them at once"
    ]
    assert twice(IMAGE).shape == new(IMAGE).shape


def test_a_size_that_was_rounded_changes_at_once() -> None:
    up = nn.Upsample(scale_factor=1.5, mode="bilinear")
    model = nn.Sequential(nn.Conv2d(3, 4, 1), up, nn.Conv2d(4, 2, 1))
    images = torch.rand(1, 3, 5, 6)  # to 7 rows, not 7.5
    new, report = replace_upsamplers(model, "dysample", example_inputs=images)
    assert not report.unchanged
    assert report.decisions[0].reason == "changes at once: its size was rounded"
    assert not torch.allclose(new(images), model(images), atol=1e-4)


def test_a_module_that_the_model_holds_twice() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.up = nn.Upsample(scale_factor=2, mode="bilinear")
            self.rows = nn.Sequential(nn.Conv2d(3, 4, 1), self.up, nn.Conv2d(4, 2, 1))

        def forward(self, x: Tensor) -> Tensor:
            return self.rows(x)

    new, report = replace_upsamplers(Twice(), "dysample", example_inputs=IMAGE)
    assert names(report.replaced) == ["up"]
    assert isinstance(new.up, dysample.DySample)
    assert new.rows[1] is new.up


def test_a_forward_set_on_the_instance(net: Net) -> None:
    forward = net.block.forward
    net.block.forward = lambda *inputs: forward(*inputs)
    _, report = replace_upsamplers(net, "carafe", example_inputs=IMAGE, dry_run=True)
    assert [d.reason for d in report.decisions if d.action == "refused"] == [
        "the module's forward is set on the instance"
    ]
