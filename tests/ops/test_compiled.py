"""torch.compile and torch.export: one graph of any size, an operator for each primitive."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch._dynamo.utils import counters
from torch.export import Dim

import dysample
from dysample import functional
from support.operators import needs_kernels

pytestmark = [needs_kernels, pytest.mark.usefixtures("fresh_dynamo", "kernels")]


class Affinity(nn.Module):
    def forward(self, query: Tensor, key: Tensor) -> Tensor:
        return functional.affinity(query, key, 3, groups=2)


class PointAttention(nn.Module):
    def forward(self, x: Tensor, query: Tensor, key: Tensor, offset: Tensor) -> Tensor:
        return functional.point_attention(x, query, key, offset, groups=2)


class PointSample(nn.Module):
    def forward(self, x: Tensor, offset: Tensor) -> Tensor:
        return functional.point_sample(x, offset)


class Reassemble(nn.Module):
    def forward(self, x: Tensor, weight: Tensor) -> Tensor:
        return functional.reassemble(x, weight, softmax=True)


def features(B: int, H: int, W: int) -> Tensor:
    return torch.randn(B, 8, H, W)


def alone(B: int, H: int, W: int) -> tuple[Tensor, ...]:
    return (features(B, H, W),)


def high_and_low(B: int, H: int, W: int) -> tuple[Tensor, ...]:
    return features(B, 2 * H, 2 * W), features(B, H, W)


def low_and_high(B: int, H: int, W: int) -> tuple[Tensor, ...]:
    return features(B, H, W), features(B, 2 * H, 2 * W)


def with_points(B: int, H: int, W: int) -> tuple[Tensor, ...]:
    high = 2 * H, 2 * W
    return features(B, H, W), features(B, *high), features(B, H, W), torch.randn(B, 12, *high)


def with_offset(B: int, H: int, W: int) -> tuple[Tensor, ...]:
    return features(B, H, W), torch.randn(B, 4, 2 * H, 2 * W)


def with_weight(B: int, H: int, W: int) -> tuple[Tensor, ...]:
    return features(B, H, W), torch.randn(B, 2, 9, 2 * H, 2 * W)


# Module, inputs, and the operators of its graph.
MODELS = {
    "point_sample": (PointSample, with_offset, ["point_sample"]),
    "reassemble": (Reassemble, with_weight, ["reassemble"]),
    "affinity": (Affinity, high_and_low, ["affinity"]),
    "point_attention": (PointAttention, with_points, ["point_attention"]),
    "DySample": (
        lambda: dysample.DySample(8, groups=2, dyscope=True),
        alone,
        ["offset_field", "point_sample"],
    ),
    "DySample-S": (
        lambda: dysample.DySample(8, style="pl", groups=2),
        alone,
        ["offset_field", "point_sample"],
    ),
    "CARAFE": (lambda: dysample.CARAFE(8, up_kernel=3), alone, ["reassemble"]),
    "SAPA": (
        lambda: dysample.SAPA(8, norm="layer", up_kernel=3, embedding=4),
        low_and_high,
        ["affinity", "reassemble"],
    ),
    "SAPA-D": (
        lambda: dysample.SAPADeform(8, points=3, groups=2, embedding=4),
        low_and_high,
        ["point_attention"],
    ),
}
each_model = pytest.mark.parametrize(
    ("build", "inputs", "operators"), MODELS.values(), ids=MODELS.keys()
)
# No length is that of another axis, which torch would take for the same in every call; a batch of
# one image is a graph of its own, as torch compiles it.
SIZES = [(3, 5, 7), (4, 9, 6), (5, 12, 11)]


def lively(build) -> nn.Module:
    module = build()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(0.2 * torch.randn_like(parameter))
    return module


@each_model
def test_compiles_to_one_graph_of_any_size(build, inputs, operators) -> None:
    module = lively(build)
    counters.clear()
    compiled = torch.compile(module, fullgraph=True, dynamic=True, backend="aot_eager")
    for size in SIZES:
        tensors = [t.requires_grad_() for t in inputs(*size)]
        ours, expected = compiled(*tensors), module(*tensors)
        torch.testing.assert_close(ours, expected)
        wanted = [*tensors, *module.parameters()]
        for our, their in zip(
            torch.autograd.grad(ours.square().sum(), wanted),
            torch.autograd.grad(expected.square().sum(), wanted),
        ):
            torch.testing.assert_close(our, their, rtol=1e-4, atol=1e-4)
    assert counters["stats"]["unique_graphs"] == 1


@each_model
def test_exports_one_graph_of_any_size(build, inputs, operators) -> None:
    module = lively(build).eval()
    B, H, W = Dim("B"), Dim("H"), Dim("W")
    example = inputs(*SIZES[0])
    shapes = []
    for tensor in example:
        high = tensor.shape[-1] != SIZES[0][2]
        axes = {tensor.dim() - 2: 2 * H if high else H, tensor.dim() - 1: 2 * W if high else W}
        shapes.append({0: B, **axes})
    program = torch.export.export(module, example, dynamic_shapes=tuple(shapes))
    called = [str(node.target) for node in program.graph.nodes if "dysample" in str(node.target)]
    assert called == [f"dysample.{name}.default" for name in operators]
    for size in (*SIZES[1:], (1, 4, 3)):
        tensors = inputs(*size)
        torch.testing.assert_close(program.module()(*tensors), module(*tensors))


def test_a_compiled_call_keeps_its_memory_format() -> None:
    module = lively(lambda: dysample.DySample(8, groups=2))
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    x = features(2, 4, 5).contiguous(memory_format=torch.channels_last)
    assert compiled(x).is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(compiled(x), module(x))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["DySample", "CARAFE", "SAPA", "SAPA-D"])
def test_compiles_with_inductor_at_any_size(name: str) -> None:
    build, inputs, _ = MODELS[name]
    module = lively(build)
    compiled = torch.compile(module, fullgraph=True, dynamic=True)
    for size in SIZES:
        tensors = [t.requires_grad_() for t in inputs(*size)]
        ours, expected = compiled(*tensors), module(*tensors)
        torch.testing.assert_close(ours, expected)
        for our, their in zip(
            torch.autograd.grad(ours.square().sum(), tensors),
            torch.autograd.grad(expected.square().sum(), tensors),
        ):
            torch.testing.assert_close(our, their, rtol=1e-4, atol=1e-4)
