"""Rows that compare Triton's kernels with plain torch in float64, on the default device."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import dysample
from support.golden import FILES, Golden
from support.primitives import PRIMITIVES, Primitive
from support.tolerances import ATOL

Row = dict[str, Any]
SHAPES = [(2, 3, 2, (5, 6), (10, 12)), (1, 8, 2, (4, 7), (9, 13))]
BUILDERS = {
    "DySample": lambda: dysample.DySample(16, groups=4),
    "CARAFE": lambda: dysample.CARAFE(16),
    "SAPA-D": lambda: dysample.SAPADeform(16, points=3, groups=2, embedding=4),
}


def rows() -> Iterator[tuple[str, Callable[[], Row]]]:
    """Values and gradients, order, golden files, autocast, compilation and graphs."""
    for name, primitive in PRIMITIVES.items():
        for dtype in (torch.float32, torch.float16, torch.bfloat16):
            for last in (False, True):
                layout = "NHWC" if last else "NCHW"
                yield (
                    f"values {name} {str(dtype)[6:]} {layout}",
                    lambda p=primitive, d=dtype, last=last: values(p, d, last),
                )
        yield f"order {name}", lambda p=primitive: order(p)
    for path in FILES:
        yield f"golden {path.stem}", lambda path=path: golden(path)
    for name, build in BUILDERS.items():
        yield f"autocast {name}", lambda build=build: autocast(build)
        if torch.get_default_device().type == "cuda":
            yield f"compiled {name}", lambda build=build: compiled(build)
            yield f"captured {name}", lambda build=build: captured(build)


def run(primitive: Primitive, tensors: list[Tensor], groups: int, name: str) -> list[Tensor]:
    """Result and gradients, with the same cotangent whatever the backend."""
    leaves = [t.detach().requires_grad_() for t in tensors]
    with dysample.backend(name):
        out = primitive.call(*leaves, groups=groups)
        high = torch.linspace(-1, 1, out.numel(), dtype=torch.float64).reshape(out.shape)
        return [out.detach(), *torch.autograd.grad(out, leaves, high.to(out.dtype))]


def values(primitive: Primitive, dtype: torch.dtype, last: bool) -> Row:
    """The largest error, over the largest value where that exceeds 1."""
    torch.manual_seed(0)
    worst = 0.0
    for shape in SHAPES:
        tensors = [t.to(dtype) for t in primitive.smooth(*shape)]
        if last:
            tensors = [
                t.contiguous(memory_format=torch.channels_last) if t.dim() == 4 else t
                for t in tensors
            ]
        exact = run(primitive, [t.double() for t in tensors], shape[2], "eager")
        for ours, true in zip(run(primitive, tensors, shape[2], "triton"), exact):
            error = (ours.double() - true).abs().max() / true.abs().max().clamp(min=1)
            worst = max(worst, float(error.nan_to_num(float("inf"))))
    return judged(worst, 4 * primitive.roundings * ATOL["eager"][dtype])


def judged(error: float, allowed: float) -> Row:
    """A row that failed if the error exceeds what is allowed."""
    row: Row = {"error": error, "allowed": allowed}
    return row if error <= allowed else {**row, "failed": "the error is too large"}


def order(primitive: Primitive) -> Row:
    """Whether sums have the same bits twice."""
    torch.manual_seed(0)
    tensors = [t.float() for t in primitive.inputs(*SHAPES[0])]
    torch.use_deterministic_algorithms(True)
    try:
        first, second = (run(primitive, tensors, SHAPES[0][2], "triton") for _ in range(2))
    finally:
        torch.use_deterministic_algorithms(False)
    same = all(map(torch.equal, first, second))
    return {} if same else {"failed": "the second run gave other bits"}


def lively(build: Callable[[], nn.Module]) -> tuple[nn.Module, list[Tensor]]:
    """A module that does something, and its inputs."""
    torch.manual_seed(0)
    module = build()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(0.2 * torch.randn_like(parameter))
    x = torch.randn(2, 16, 6, 8)
    return module.eval(), [x, torch.randn(2, 16, 12, 16)] if module.guided else [x]


def difference(ours: Tensor, expected: Tensor) -> float:
    return float((ours.double() - expected.double()).detach().abs().max())


def autocast(build: Callable[[], nn.Module]) -> Row:
    """Under autocast to bfloat16, against plain torch under the same."""
    module, inputs = lively(build)
    kind = inputs[0].device.type
    outs = []
    for name in ("triton", "eager"):
        with dysample.backend(name), torch.autocast(kind, dtype=torch.bfloat16):
            outs.append(module(*inputs))
    return judged(difference(*outs), 0.15)


def compiled(build: Callable[[], nn.Module]) -> Row:
    """Compiled by inductor, in one graph."""
    module, inputs = lively(build)
    torch._dynamo.reset()
    with torch.no_grad():
        return judged(
            difference(torch.compile(module, fullgraph=True)(*inputs), module(*inputs)), 1e-4
        )


def captured(build: Callable[[], nn.Module]) -> Row:
    """Replayed from a CUDA graph, on other numbers than those that it was captured with."""
    module, inputs = lively(build)
    with torch.no_grad():
        module(*inputs)
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            out = module(*inputs)
        for value in inputs:
            value.normal_()
        graph.replay()
        return judged(difference(out, module(*inputs)), 1e-6)


def golden(path: Path) -> Row:
    """Output and gradients of a file of the published code, in float64."""
    file = Golden(path, torch.get_default_device().type)
    with dysample.backend("triton"):
        out, inputs, module = file.run(torch.float64)
        (file.arrays["cot"].double() * out).sum().backward()
    pairs = [(out, file.arrays["out"])]
    pairs += [(inputs[name].grad, true) for name, true in file.part("grad_in.").items()]
    parameters = dict(module.named_parameters()) if module else {}
    for name, true in file.part("grad_state.").items():
        pairs.append((parameters[name.removeprefix("index.")].grad, true))
    return judged(max(difference(*pair) for pair in pairs), file.tolerance())
