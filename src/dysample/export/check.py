"""The same inputs through a model and through the runtimes that execute its exported graph."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

Run = Callable[[Sequence[Tensor]], list[Tensor]]

TOLERANCES = {
    torch.float64: 1e-9,
    torch.float32: 1e-4,  # sums in another order, through a few dozen layers
    torch.float16: 2e-2,  # runtimes round between other pairs of layers
}
"""Largest error that passes, over the largest value of that output, by dtype."""


class ExportError(RuntimeError):
    """A model that cannot be exported, or whose exported graph gives other numbers."""


@dataclass(frozen=True)
class Comparison:
    """One run of the exported graph beside the model.

    Attributes:
        runtime: its name and version.
        sizes: shapes of the input tensors.
        error: largest error over the largest value, of the worst output.
    """

    runtime: str
    sizes: tuple[tuple[int, ...], ...]
    error: float


def compare(
    graph: bytes, model: nn.Module, inputs: Sequence[tuple[Any, ...]], names: Sequence[str]
) -> tuple[Comparison, ...]:
    """Run the graph in onnxruntime, and in OpenVINO where it is installed, beside the model.

    Args:
        graph: an ONNX model.
        model: what it was made of.
        inputs: arguments for each run.
        names: of the graph's outputs.

    Raises:
        ExportError: outputs that differ, or a runtime that cannot run the graph.
        ValueError: sizes that the model itself cannot take.
    """
    runtimes = {"onnxruntime": _onnxruntime}
    if importlib.util.find_spec("openvino") is not None:
        runtimes["openvino"] = _openvino
    expected = [_outputs(model, args) for args in inputs]
    comparisons = []
    for runtime, open_ in runtimes.items():
        try:
            version, run = open_(graph)
        except ModuleNotFoundError:
            raise
        except Exception as error:  # each runtime raises its own
            raise ExportError(f"{runtime} cannot load the graph: {one_line(error)}") from error
        for args, wanted in zip(inputs, expected):
            tensors = tensors_of(args)
            sizes = tuple(tuple(x.shape) for x in tensors)
            where = f"{runtime} {version} at {' '.join('x'.join(map(str, s)) for s in sizes)}"
            try:
                found = run(tensors)
            except Exception as error:
                raise ExportError(f"{where} cannot run the graph: {one_line(error)}") from error
            if len(found) != len(wanted):
                raise ExportError(f"{where}: {len(found)} outputs, the model has {len(wanted)}")
            worst = max(map(_error, [where] * len(names), names, found, wanted), default=0.0)
            comparisons.append(Comparison(f"{runtime} {version}", sizes, worst))
    return tuple(comparisons)


def tensors_of(value: Any) -> list[Tensor]:
    """The tensors among arguments or results, in order."""
    return [leaf for leaf in tree_leaves(value) if isinstance(leaf, Tensor)]


def one_line(error: Exception) -> str:
    """The message of an error in one line, not too long."""
    text = " ".join(str(error).split())
    return text if len(text) <= 300 else f"{text[:300]}..."


def output_names(result: Any) -> list[str]:
    """Names of a graph's outputs: the keys of a mapping, else "output", numbered if several."""
    if isinstance(result, Mapping) and all(isinstance(v, Tensor) for v in result.values()):
        return [str(key) for key in result]
    count = len(tensors_of(result))
    return ["output"] if count == 1 else [f"output_{i}" for i in range(count)]


def _outputs(model: nn.Module, args: tuple[Any, ...]) -> list[Tensor]:
    try:
        with torch.no_grad():
            return tensors_of(model(*args))
    except Exception as error:  # whatever a model raises
        sizes = " ".join("x".join(map(str, x.shape)) for x in tensors_of(args))
        raise ValueError(
            f"`dynamic` must hold only axes whose length the model can change: at {sizes} it raises"
            f" {type(error).__name__}: {one_line(error)} (`verify` takes other sizes)"
        ) from error


def _error(where: str, name: str, found: Tensor, wanted: Tensor) -> float:
    """Largest error over the largest value, if it is within the tolerance of the dtype."""
    wanted = wanted.detach().cpu()
    if found.shape != wanted.shape:
        raise ExportError(
            f"{where}: `{name}` has shape {tuple(found.shape)}, the model's {tuple(wanted.shape)}"
        )
    if wanted.numel() == 0:
        return 0.0
    allowed = TOLERANCES.get(wanted.dtype, 0.0)
    peak = float(wanted.double().abs().max())
    error = float((found.double() - wanted.double()).abs().max()) / (peak or 1.0)
    if not error <= allowed:  # NaN too
        raise ExportError(
            f"{where}: `{name}` differs from the model's by {error:.2g} of its largest value, more"
            f" than {allowed:g}"
        )
    return error


def _onnxruntime(graph: bytes) -> tuple[str, Run]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors come as exceptions
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]

    def run(tensors: Sequence[Tensor]) -> list[Tensor]:
        feed = {name: x.detach().cpu().numpy() for name, x in zip(names, tensors)}
        return [torch.from_numpy(out) for out in session.run(None, feed)]

    return onnxruntime.__version__, run


def _openvino(graph: bytes) -> tuple[str, Run]:
    import openvino

    core = openvino.Core()
    # On processors with bfloat16 it would be the default, too coarse to tell right from wrong.
    hint = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = core.compile_model(core.read_model(graph), "CPU", hint)

    def run(tensors: Sequence[Tensor]) -> list[Tensor]:
        results = compiled([x.detach().cpu().numpy() for x in tensors])
        return [torch.from_numpy(results[i].copy()) for i in range(len(compiled.outputs))]

    return openvino.__version__.split("-")[0], run
