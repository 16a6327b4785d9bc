"""Models whose calls were replaced are models as before: copied, saved, compiled, exported."""

from __future__ import annotations

import copy
import inspect
import io
import pickle
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import dysample
from dysample.surgery import replace_upsamplers
from dysample.surgery.reroute import _rerouted
from support.surgery_net import IMAGE, IMAGES, Block, Net, Small, lively


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


def test_export_for_any_size(net: Net, new: nn.Module) -> None:
    lively(new)
    sizes = {2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC}
    program = torch.export.export(new, (IMAGE,), dynamic_shapes=(sizes,))
    for images in (torch.rand(1, 3, 30, 17), torch.rand(1, 3, 18, 33)):
        found = program.module()(images)
        torch.testing.assert_close(found, new(images), rtol=0, atol=1e-5)
        assert not torch.allclose(found, net(images), atol=1e-4)


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
@pytest.mark.filterwarnings("ignore:.*torch.jit.*deprecated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:.*torch.jit.*deprecated:FutureWarning")
def test_trace_for_any_size(net: Net, new: nn.Module) -> None:
    traced = torch.jit.trace(lively(new), IMAGE)
    for images in (torch.rand(2, 3, 30, 17), torch.rand(1, 3, 18, 33)):
        torch.testing.assert_close(traced(images), new(images), rtol=0, atol=1e-5)
        assert not torch.allclose(traced(images), net(images), atol=1e-4)


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
    images = [torch.rand(1, 3, 20 + n, 26) for n in range(8)]
    with torch.no_grad(), ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda x: new(x), images))
    with torch.no_grad():
        assert all(torch.equal(a, new(x)) for a, x in zip(found, images))


class Final(Small):
    def __init_subclass__(cls) -> None:
        raise TypeError("Final has no\nsubclasses")


class Guarded(Small):
    """Takes certain attributes only."""

    def __setattr__(self, name: str, value: object) -> None:
        if name not in ("training", "stem", "head"):
            raise AttributeError(name)
        super().__setattr__(name, value)


def test_classes_with_rules_of_their_own() -> None:
    with pytest.raises(
        ValueError, match="Final takes no subclass: TypeError: Final has no subclasses"
    ):
        replace_upsamplers(Final(), "dysample", example_inputs=IMAGES)
    model = Guarded()
    new, report = replace_upsamplers(model, "dysample", example_inputs=IMAGES)
    assert report.modes == ("eval", "training")
    torch.testing.assert_close(new(IMAGES), model(IMAGES), rtol=0, atol=1e-5)


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
    assert [site.name for site in report.replaced] == [":0"]
    images = torch.rand(1, 3, 12, 12)
    torch.testing.assert_close(new(images), model(images), rtol=0, atol=1e-5)


class Nested(nn.Module):
    """Runs itself between its calls."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)

    def forward(self, x: Tensor, depth: int = 0) -> Tensor:
        x = self.conv(F.interpolate(x, scale_factor=0.5))
        if depth:
            x = self(x, depth - 1)
        return self.conv(F.interpolate(x, scale_factor=2, mode="bilinear"))


def test_calls_of_a_module_inside_itself_are_counted_run_by_run() -> None:
    model, image = Nested().eval(), torch.rand(1, 3, 16, 16)
    new, report = replace_upsamplers(model, "dysample", groups=3, example_inputs=(image, 2))
    assert [site.name for site in report.replaced] == [":1"]
    sizes = []
    new.upsamplers["1"].register_forward_hook(lambda up, given, out: sizes.append(out.shape[-1]))
    torch.testing.assert_close(new(image, 2), model(image, 2), rtol=0, atol=1e-5)
    assert sizes == [4, 8, 16]


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


def test_signature_and_name_are_the_host_s(new: nn.Module) -> None:
    assert list(inspect.signature(new.forward).parameters) == ["images"]
    assert type(new).__name__ == "Net"


def test_a_pickle_of_another_release_of_the_host(new: nn.Module, monkeypatch) -> None:
    """Calls are known by their lines, which stand elsewhere there."""
    saved = pickle.dumps(new)

    def forward(self, images):
        return None

    monkeypatch.setattr(Block, "forward", forward)
    _rerouted.cache_clear()
    with pytest.raises(
        ValueError, match=r"`support.surgery_net.Block` must have the code that it had when"
    ):
        pickle.loads(saved)


class Broken(nn.Module):
    """Breaks dynamo's graph between its steps."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.interpolate(self.conv(x), scale_factor=2, mode="bilinear")
        torch._dynamo.graph_break()
        x = F.interpolate(x + 1, None, 2, "bilinear")
        return self.conv(x[:, :3])


def test_compile_with_a_graph_that_breaks(fresh_dynamo: None) -> None:
    new, report = replace_upsamplers(Broken(), "dysample", example_inputs=torch.rand(1, 3, 4, 4))
    assert [site.name for site in report.replaced] == [":0", ":1"]
    images = torch.rand(1, 3, 4, 4)
    compiled = torch.compile(lively(new), backend="aot_eager")
    with torch.no_grad():
        torch.testing.assert_close(compiled(images), new(images), rtol=0, atol=1e-5)
        assert not torch.allclose(compiled(images), Broken.forward(new, images), atol=1e-4)


@pytest.mark.filterwarnings("ignore:.*side effects:UserWarning")
def test_strict_export(new: nn.Module) -> None:
    program = torch.export.export(lively(new), (IMAGE,), strict=True)
    torch.testing.assert_close(program.module()(IMAGE), new(IMAGE), rtol=0, atol=1e-5)
