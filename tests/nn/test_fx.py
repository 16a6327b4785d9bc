"""torch.fx: upsamplers and functions are one node each, whatever traces them."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import Tensor, fx, nn
from torch.ao.quantization import QConfigMapping, get_default_qat_qconfig, get_default_qconfig
from torch.ao.quantization.quantize_fx import convert_fx, prepare_fx, prepare_qat_fx
from torch.testing import assert_close

import dysample
from dysample import create_upsampler, functional
from support.upsamplers import GUIDED, C, each_name


class Net(nn.Module):
    """An upsampler two modules deep, called once with nothing else and once with a size."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, C, 1)
        self.neck = nn.ModuleDict({"up": create_upsampler(name, C)})
        self.head = nn.Conv2d(C, 2, 3, padding=1)

    # Without annotations, which are text here: torch 2.12 cannot pickle a graph with such.
    def forward(self, x):
        low = self.stem(x)
        up = self.neck["up"]
        fine: Tensor = low
        if up.guided:
            guide = torch.cat((low, low), dim=2)
            fine = up(low, guide)
        else:
            fine = up(low)
            fine = up(fine, size=(2 * x.shape[2], x.shape[3] + 1))
        return self.head(fine)


def image(*size: int) -> Tensor:
    return torch.rand(2, 3, *size)


@each_name
def test_one_node_right_at_any_size(name: str) -> None:
    net = Net(name).eval()
    traced = fx.symbolic_trace(net)
    nodes = [node for node in traced.graph.nodes if node.target == "neck.up"]
    assert [node.op for node in nodes] == ["call_module"] * (1 if name in GUIDED else 2)
    assert traced.neck.up is net.neck.up
    assert not any("conv2d" in str(node.target) for node in traced.graph.nodes)
    for size in ((4, 5), (6, 3)):
        x = image(*size)
        assert torch.equal(traced(x), net(x))
    again = fx.symbolic_trace(pickle.loads(pickle.dumps(traced)))
    assert_close(again(x := image(4, 5)), net(x))


def test_gradients_and_deep_copies_of_graphs() -> None:
    net = Net("dysample_plus")
    traced = copy.deepcopy(fx.symbolic_trace(net))
    x = image(4, 4)
    for module in (net, traced):
        module(x).square().sum().backward()
    for (_, ours), (_, theirs) in zip(net.named_parameters(), traced.named_parameters()):
        assert_close(ours.grad, theirs.grad)


class Fixed(nn.Module):
    """Calls in which only the size or only the guide depends on the input."""

    def __init__(self) -> None:
        super().__init__()
        self.up, self.guided = dysample.Bilinear(4), dysample.SAPAI(4)
        self.register_buffer("x", torch.rand(1, 4, 3, 3))

    def forward(self, x: Tensor) -> Tensor:
        of_size: Tensor = self.up(self.x, size=x.shape[-2:])
        return of_size + self.guided(self.x, guide=x)


def test_a_proxy_anywhere_makes_a_node() -> None:
    net, x = Fixed(), torch.rand(1, 4, 7, 8)
    traced = fx.symbolic_trace(net)
    assert [n.target for n in traced.graph.nodes if n.op == "call_module"] == ["up", "guided"]
    assert torch.equal(traced(x), net(x))


FUNCTIONS = [
    lambda x: functional.point_sample(x, x.repeat(1, 1, 2, 2)),
    lambda x: functional.reassemble(x, weight=x.repeat(1, 9, 3, 2)[:, None, :9], softmax=True),
    lambda x: functional.affinity(x.repeat(1, 1, 2, 2), x, 3, groups=2),
    lambda x: functional.point_attention(
        x, x.repeat(1, 1, 2, 2), x, x.repeat(1, 2, 2, 2), groups=2
    ),
    lambda x: functional.dysample(x, x.repeat(1, 2, 1, 1), 2, size=(5, x.shape[3])),
    lambda x: functional.carafe(x, x.repeat(1, 9, 1, 1), 2, kernel=3),
    lambda x: functional.sapa(x, query=x.repeat(1, 1, 2, 2), key=x, kernel=3),
]


@pytest.mark.parametrize("number", range(len(FUNCTIONS)))
def test_functions_are_one_node(number: int) -> None:
    traced = fx.symbolic_trace(FUNCTIONS[number])
    ours = [
        node
        for node in traced.graph.nodes
        if getattr(node.target, "__module__", None) == "dysample.functional"
    ]
    assert len(ours) == 1
    x = torch.randn(2, 4, 3, 5)
    assert torch.equal(traced(x), FUNCTIONS[number](x))
    again = pickle.loads(pickle.dumps(traced))
    assert torch.equal(again(x), traced(x))


def test_what_cannot_be_a_node_says_how() -> None:
    with pytest.raises(
        ValueError, match=r"^torch\.fx makes one node of DySample: trace a module that"
    ):
        fx.symbolic_trace(dysample.DySample(8))
    up = dysample.DySample(8)
    with pytest.raises(
        ValueError, match=r"such as torch\.nn\.Sequential, and has it as an attribute$"
    ):
        fx.symbolic_trace(lambda x: up.forward(x))


def test_hooks_would_run_twice() -> None:
    net = nn.Sequential(dysample.Bilinear(8))
    handle = net[0].register_forward_hook(lambda module, x, out: 2 * out)
    with pytest.raises(
        ValueError, match=r"^Bilinear has hooks or a `forward` of its own, which would"
    ):
        fx.symbolic_trace(net)
    x = torch.rand(1, 8, 3, 3)

    class Tracer(fx.Tracer):
        def is_leaf_module(self, m: nn.Module, path: str) -> bool:
            return isinstance(m, dysample.nn.Upsampler) or super().is_leaf_module(m, path)

    assert torch.equal(fx.GraphModule(net, Tracer().trace(net))(x), net(x))
    handle.remove()
    assert torch.equal(fx.symbolic_trace(net)(x), net(x))


@pytest.mark.parametrize("name", ["dysample_plus", "carafe", "fade"])
def test_torchvision_extracts_features(name: str) -> None:
    extraction = pytest.importorskip("torchvision.models.feature_extraction")
    net, x = Net(name).eval(), image(4, 4)
    train, evaluation = extraction.get_graph_node_names(net)
    assert train == evaluation
    assert "neck.up" in train
    extractor = extraction.create_feature_extractor(net, {"neck.up": "fine", "head": "out"})
    out = extractor(x)
    assert_close(out["out"], net(x))
    guide = (torch.cat((net.stem(x),) * 2, dim=2),) if name == "fade" else ()
    assert_close(out["fine"], net.neck["up"](net.stem(x), *guide))


@pytest.mark.filterwarnings("ignore")  # torch announces what follows its quantisation
@each_name
@pytest.mark.parametrize("aware", [False, True])
def test_quantised_models_keep_upsamplers_in_float(name: str, aware: bool) -> None:
    net, x = Net(name), image(4, 4)
    (net.train() if aware else net.eval())
    qconfig = get_default_qat_qconfig("x86") if aware else get_default_qconfig("x86")
    mapping = QConfigMapping().set_global(qconfig)
    mapping.set_object_type(type(net.neck["up"]), None)
    prepare = prepare_qat_fx if aware else prepare_fx
    before = copy.deepcopy(net.neck["up"])
    prepared = prepare(net, mapping, (x,))
    for _ in range(3):
        prepared(x)
    converted = convert_fx(prepared.eval())
    up = converted.get_submodule("neck.up")
    assert {type(m) for m in up.modules()} == {type(m) for m in before.modules()}
    assert "Quantized" in repr(converted.head)
    out = converted(x)
    assert out.dtype == torch.float32
    # 8 bits of the two convolutions around it.
    assert_close(out, net.eval()(x), rtol=0.1, atol=0.1)
