from __future__ import annotations

import copy
import types
from contextlib import nullcontext

import pytest
import torch
from torch import Tensor, nn

import dysample
from dysample.surgery import find_sites, replace_upsamplers
from dysample.surgery.reroute import is_rerouted
from support.surgery_net import IMAGE, STEPS, Block, Net, lively


def names(sites: tuple[dysample.surgery.Site, ...]) -> list[str]:
    return [site.name for site in sites]


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


def test_calls_of_a_forward_set_on_the_instance_are_those_of_the_module_around_it(net: Net) -> None:
    forward = net.block.forward
    net.block.forward = lambda *inputs: forward(*inputs)
    new, report = replace_upsamplers(net, "dysample", example_inputs=IMAGE)
    assert names(report.replaced) == [":0", "up", ":1"]
    torch.testing.assert_close(new(IMAGE), net(IMAGE), rtol=0, atol=1e-5)
    assert not torch.allclose(lively(new)(IMAGE), net(IMAGE), atol=1e-4)


def test_a_forward_set_on_the_whole_model(net: Net) -> None:
    net.forward = types.MethodType(lambda self, images: type(self).forward(self, images), net)
    _, report = replace_upsamplers(net, "carafe", example_inputs=IMAGE, dry_run=True)
    assert names(report.replaced) == ["block:0", "up"]
    assert [d.reason for d in report.decisions if d.action == "refused"] == [
        "the module's forward is set on the instance"
    ]


@pytest.mark.parametrize("inside", [False, True], ids=["around", "inside"])
def test_parameters_have_the_dtype_of_the_model_under_autocast(inside: bool) -> None:
    class Cast(nn.Sequential):
        def forward(self, x: Tensor) -> Tensor:
            with torch.autocast("cpu", torch.bfloat16) if inside else nullcontext():
                return super().forward(x)

    up = nn.Upsample(scale_factor=2, mode="bilinear")
    model = Cast(nn.Conv2d(3, 8, 1), up, nn.Conv2d(8, 2, 1))
    images = torch.rand(1, 3, 8, 8)
    with torch.autocast("cpu", torch.bfloat16, enabled=not inside):
        new, report = replace_upsamplers(model, "dysample", example_inputs=images)
    assert report.replaced[0].dtype == torch.bfloat16
    assert {parameter.dtype for parameter in new.parameters()} == {torch.float32}
    assert new(images).dtype == model(images).dtype


class Widened(nn.Sequential):
    """Resizes in another dtype than that of its layers."""

    def __init__(self, to: torch.dtype) -> None:
        up = nn.Upsample(scale_factor=2, mode="bilinear")
        super().__init__(nn.Conv2d(3, 8, 1), up, nn.Conv2d(8, 2, 1))
        self.to_dtype = to

    def forward(self, x: Tensor) -> Tensor:
        first, up, last = self
        x = first(x)
        return last(up(x.to(self.to_dtype)).to(x.dtype))


def test_a_map_that_the_model_makes_wider_wants_wider_parameters() -> None:
    model, images = Widened(torch.float32).bfloat16(), torch.rand(1, 3, 8, 8).bfloat16()
    new, _ = replace_upsamplers(model, "dysample", example_inputs=images)
    assert new[1].offset.weight.dtype == torch.float32
    torch.testing.assert_close(new(images), model(images))


def test_a_map_that_the_model_makes_narrower_without_autocast_is_refused() -> None:
    images = torch.rand(1, 3, 8, 8)
    with pytest.raises(ValueError, match=r"1: its upsampler raises TypeError: `x` dtype"):
        replace_upsamplers(Widened(torch.bfloat16), "dysample", example_inputs=images)


def test_nothing_to_replace_is_told_with_the_reasons() -> None:
    images = torch.rand(1, 3, 8, 8)
    head = nn.Conv2d(3, 8, 1)
    for layers, match in (
        ([head], "0 refused; no step of it resizes a map"),
        ([head, nn.PixelShuffle(2)], "0 refused; 1: learned already"),
        ([head, nn.ConvTranspose2d(8, 8, 2, 2)], "0 refused; 1: learned already"),
        ([nn.Upsample(scale_factor=2), head], "0 refused; 0: an image: no learned layer before it"),
    ):
        with pytest.raises(ValueError, match=match):
            replace_upsamplers(nn.Sequential(*layers), "dysample", example_inputs=images)


def test_the_model_s_own_exception_says_where_it_comes_from(net: Net) -> None:
    with pytest.raises(
        ValueError,
        match=r"^`example_inputs` must be what `model` runs on: in eval mode Net raises "
        r"RuntimeError: .*expected input.* to have 3 channels",
    ) as raised:
        replace_upsamplers(net, "dysample", example_inputs=torch.rand(1, 4, 21, 26))
    assert "\n" not in str(raised.value)


def test_random_numbers_go_on_as_if_nothing_had_run(net: Net) -> None:
    net.drop = nn.Dropout(0.5)
    torch.manual_seed(0)
    for _ in range(3):
        nn.init.normal_(torch.empty(1))
    expected = torch.rand(3)
    torch.manual_seed(0)
    find_sites(net, IMAGE)
    for _ in range(3):
        nn.init.normal_(torch.empty(1))
    assert torch.equal(torch.rand(3), expected)
