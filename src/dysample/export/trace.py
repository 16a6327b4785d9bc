"""ONNX graphs below opset 18, by torch's exporter of traces.

A trace runs a model once. Sizes that it does not recognise become constants, so its graphs must be
verified at other sizes.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_unflatten

from dysample.export.check import tensors_of
from dysample.export.sizes import AXES, is_map

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

_PREFIX = "model."  # of the weights' names


def trace(
    model: nn.Module,
    args: tuple[Any, ...],
    axes: Sequence[str],
    opset: int,
    input_names: Sequence[str],
    output_names: Sequence[str],
) -> ModelProto:
    """Return the ONNX model of a trace.

    Args:
        model: in eval mode.
        args: what it is called with.
        axes: names of those whose length may change, of `AXES`.
        opset: below 18.
        input_names: one for each tensor in `args`; numbered if there are none.
        output_names: one for each tensor of the result.
    """
    import onnx

    tensors = tensors_of(args)
    names = input_names or [f"input_{i}" for i in range(len(tensors))]
    file = io.BytesIO()
    torch.onnx.export(
        _Flat(model, args).eval(),
        tuple(tensors),
        file,  # type: ignore[arg-type]  # written by `f.write`
        dynamo=False,
        opset_version=opset,
        input_names=names,
        output_names=output_names,
        dynamic_axes={
            name: {AXES[axis]: f"{name}_{axis}" for axis in axes}
            for name, x in zip(names, tensors)
            if is_map(x)
        },
    )
    traced = onnx.load_from_string(file.getvalue())
    _repair(traced.graph)
    return traced


class _Flat(nn.Module):
    """A wrapper that takes and returns only tensors, as traces do."""

    def __init__(self, model: nn.Module, args: tuple[Any, ...]) -> None:
        super().__init__()
        self.model = model
        self._leaves, self._spec = tree_flatten(args)

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Return the tensors of the result, in order."""
        given = iter(tensors)
        leaves = [next(given) if isinstance(leaf, Tensor) else leaf for leaf in self._leaves]
        return tuple(tensors_of(self.model(*tree_unflatten(leaves, self._spec))))


def _repair(graph: GraphProto) -> None:
    """Repair what the exporter writes wrongly or under other names.

    - The weights have their names in the model. - Axes of Transpose are counted from the front:
    those of `movedim(-1, 1)` are left negative. - Dynamic lengths of outputs get separate names:
    the exporter gives height and width the same
      one, and runtimes that plan memory by it treat them as equal.
    """
    names = {item.name for item in graph.initializer if item.name.startswith(_PREFIX)}
    for item in graph.initializer:
        item.name = item.name.removeprefix(_PREFIX)
    for node in _nodes(graph):
        for i, name in enumerate(node.input):
            if name in names:
                node.input[i] = name.removeprefix(_PREFIX)
        for attribute in node.attribute if node.op_type == "Transpose" else ():
            attribute.ints[:] = [axis % len(attribute.ints) for axis in attribute.ints]
    for value in graph.output:
        for i, length in enumerate(value.type.tensor_type.shape.dim):
            if not length.HasField("dim_value"):
                length.dim_param = f"{value.name}_{i}"
    del graph.value_info[:]


def _nodes(graph: GraphProto) -> Iterator[NodeProto]:
    """Yield the nodes of a graph and of its subgraphs."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _nodes(attribute.g)
