from __future__ import annotations

import copy
import io
import os
import pickle

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import dysample
from dysample.surgery import find_sites, replace_upsamplers
from dysample.surgery.reroute import is_rerouted


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 3, padding=1)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        x = F.interpolate(x, size=skip.shape[-2:], mode="bilinear", align_corners=False)
        return self.conv(x + skip)


class Net(nn.Module):
    """Calls in two forwards, one inside the other, and a module."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.down = nn.Conv2d(8, 8, 3, stride=2, padding=1)
        self.block = Block()
        self.up = nn.Upsample(scale_factor=2, mode="bilinear")
        self.deconv = nn.ConvTranspose2d(8, 6, 2, stride=2)
        self.head = nn.Conv2d(6, 4, 1)

    def forward(self, images: Tensor) -> Tensor:
        fine = self.stem(images)
        x = self.block(self.down(fine), fine)
        x = self.up(x)
        x = self.block.conv(F.interpolate(x, scale_factor=1.5, mode="bilinear"))
        x = self.head(self.deconv(x))
        return F.interpolate(x, size=images.shape[-2:], mode="bilinear")


STEPS = ["block:0", "up", ":0"]
IMAGE = torch.rand(1, 3, 21, 26, generator=torch.Generator().manual_seed(0))


def names(sites: tuple[dysample.surgery.Site, ...]) -> list[str]:
    return [site.name for site in sites]


@pytest.fixture
def net() -> Net:
    return Net().eval()


@pytest.fixture
def new(net: Net) -> nn.Module:
    return replace_upsamplers(net, "dysample", example_inputs=IMAGE)[0]


def lively(model: nn.Module) -> nn.Module:
    """Offsets that show whether the upsamplers run."""
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, dysample.DySample):
                module.offset.weight.normal_(std=0.3)
    return model


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


def test_deepcopy_pickle_and_save(net: Net, new: nn.Module) -> None:
    expected = lively(new)(IMAGE)
    assert not torch.allclose(expected, net(IMAGE), atol=1e-4)
    assert torch.equal(copy.deepcopy(new)(IMAGE), expected)
    assert torch.equal(pickle.loads(pickle.dumps(new))(IMAGE), expected)
    file = io.BytesIO()
    torch.save(new, file)
    file.seek(0)
    loaded = torch.load(file, weights_only=False)
    assert torch.equal(loaded(IMAGE), expected)
    assert type(loaded) is type(new)


def test_a_copy_has_upsamplers_of_its_own(new: nn.Module) -> None:
    expected = new(IMAGE)
    lively(copy.deepcopy(new))
    assert torch.equal(new(IMAGE), expected)


def test_it_trains(new: nn.Module) -> None:
    optimizer = torch.optim.SGD(new.parameters(), lr=0.1)
    new(IMAGE).square().sum().backward()
    ups = [module for module in new.modules() if isinstance(module, dysample.DySample)]
    assert all(up.offset.weight.grad.abs().max() > 0 for up in ups)
    before = new(IMAGE)
    optimizer.step()
    assert not torch.equal(new(IMAGE), before)


def test_compile_in_one_graph(new: nn.Module, fresh_dynamo: None) -> None:
    compiled = torch.compile(lively(new), fullgraph=True, backend="aot_eager")
    for size in ((21, 26), (18, 20)):
        images = torch.rand(1, 3, *size)
        torch.testing.assert_close(compiled(images), new(images), rtol=0, atol=1e-5)


def test_export(new: nn.Module) -> None:
    lively(new)
    sizes = {2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC}
    program = torch.export.export(new, (IMAGE,), dynamic_shapes=(sizes,))
    images = torch.rand(1, 3, 30, 17)
    torch.testing.assert_close(program.module()(images), new(images), rtol=0, atol=1e-5)


@pytest.mark.skipif(not torch.distributed.is_available(), reason="torch without distributed")
def test_distributed(new: nn.Module, tmp_path) -> None:
    expected = lively(new)(IMAGE)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{tmp_path / 'store'}", rank=0, world_size=1
    )
    try:
        wrapped = nn.parallel.DistributedDataParallel(new)
        found = wrapped(IMAGE)
        assert torch.equal(found, expected)
        found.sum().backward()
        assert new.block.upsamplers["0"].offset.weight.grad is not None
    finally:
        torch.distributed.destroy_process_group()


def test_threads_do_not_see_each_other(new: nn.Module) -> None:
    from concurrent.futures import ThreadPoolExecutor

    images = [torch.rand(1, 3, 20 + n, 26) for n in range(8)]
    with torch.no_grad(), ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda x: new(x), images))
    with torch.no_grad():
        assert all(torch.equal(a, new(x)) for a, x in zip(found, images))


class Branch(nn.Module):
    """Goes another way on large maps, in a module whose calls the example does not show."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.inner = nn.Conv2d(3, 8, 1), Inner()

    def forward(self, x: Tensor) -> Tensor:
        x = self.inner(self.conv(x))
        return self.inner.conv(F.interpolate(x, scale_factor=2, mode="bilinear"))


class Inner(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 1)

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[-1] > 8:
            x = F.interpolate(x[:, :4], scale_factor=0.5).repeat(1, 2, 1, 1)
        return x


def test_calls_of_inner_modules_are_never_taken_for_the_owner_s() -> None:
    model = Branch().eval()
    new, report = replace_upsamplers(model, "dysample", example_inputs=torch.rand(1, 3, 6, 6))
    assert names(report.replaced) == [":0"]
    images = torch.rand(1, 3, 12, 12)
    torch.testing.assert_close(new(images), model(images), rtol=0, atol=1e-5)


class Wider(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 1)
        self.wide = False

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        if self.wide:
            x = x.repeat(1, 2, 1, 1)
        x = F.interpolate(x, scale_factor=2, mode="bilinear")
        return self.conv(x[:, :3])


def test_a_call_that_is_not_the_one_replaced() -> None:
    new, _ = replace_upsamplers(Wider(), "dysample", example_inputs=torch.rand(1, 3, 4, 4))
    new.wide = True
    with pytest.raises(ValueError, match=r"call 0 of F.interpolate in Wider must be on 8 channels"):
        new(torch.rand(1, 3, 4, 4))


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


def test_a_forward_set_on_the_instance(net: Net) -> None:
    forward = net.block.forward
    net.block.forward = lambda *inputs: forward(*inputs)
    _, report = replace_upsamplers(net, "carafe", example_inputs=IMAGE, dry_run=True)
    assert [d.reason for d in report.decisions if d.action == "refused"] == [
        "the module's forward is set on the instance"
    ]


def test_signature_and_name_are_the_host_s(new: nn.Module) -> None:
    import inspect

    assert list(inspect.signature(new.forward).parameters) == ["images"]
    assert type(new).__name__ == "Net"
    assert os.path.basename(inspect.getfile(Net)) == "test_replace.py"
