"""Compare a model with the runtimes that execute its exported graph."""

from __future__ import annotations

import copy
import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map

from dysample.checks import one_line

Run = Callable[[Sequence[Tensor]], list[Tensor]]

TOLERANCES = {
    torch.float64: 1e-9,
    torch.float32: 1e-4,  # different summation order over a few dozen layers
    torch.float16: 2e-2,  # runtimes round between other pairs of layers
}
"""Largest error that passes, over the largest value of that output, by dtype."""

_ALIKE = 10
"""Factor within which two rounding errors of the same sums in another order lie."""


class ExportError(RuntimeError):
    """The model cannot be exported, or its exported graph gives other numbers."""


class InexactError(ExportError):
    """The graph differs from the model no more than the model from itself in float64."""


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
    graph: bytes,
    model: nn.Module,
    inputs: Sequence[tuple[Any, ...]],
    names: Sequence[str],
    rtol: float | None = None,
) -> tuple[Comparison, ...]:
    """Run the graph in onnxruntime, and in OpenVINO where it is installed, beside the model.

    Args:
        graph: an ONNX model.
        model: the exported model.
        inputs: arguments for each run.
        names: of the graph's outputs.
        rtol: in place of `TOLERANCES`, of outputs that are no whole numbers.

    Raises:
        ExportError: outputs differ, or a runtime cannot run the graph.
        ValueError: the model itself cannot run at these sizes.
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
        except Exception as failure:  # each runtime has its own errors
            raise ExportError(f"{runtime} cannot load the graph: {one_line(failure)}") from failure
        for args, wanted in zip(inputs, expected):
            tensors = tensors_of(args)
            where = f"{runtime} {version} at {sizes_of(args)}"
            try:
                found = run(tensors)
            except Exception as failure:
                raise ExportError(f"{where} cannot run the graph: {one_line(failure)}") from failure
            if len(found) != len(wanted):
                raise ExportError(f"{where}: {len(found)} outputs, the model has {len(wanted)}")
            worst = 0.0
            for i, name in enumerate(names):
                error = _error(where, name, found[i], wanted[i])
                allowed = _allowed(wanted[i], rtol)
                if not error <= allowed:  # NaN too
                    kind, own = _beside_float64(model, args, i, wanted[i], error)
                    raise kind(
                        f"{where}: `{name}` differs from the model's by {error:.2g} of its largest"
                        f" value, more than {allowed:g}{own}"
                    )
                worst = max(worst, error)
            sizes = tuple(tuple(x.shape) for x in tensors)
            comparisons.append(Comparison(f"{runtime} {version}", sizes, worst))
    return tuple(comparisons)


def tensors_of(value: Any) -> list[Tensor]:
    """Return the tensors among arguments or results, in order."""
    return [leaf for leaf in tree_leaves(value) if isinstance(leaf, Tensor)]


def sizes_of(args: Any) -> str:
    """Return the shapes of the tensors, such as 1x3x64x96."""
    return " ".join("x".join(map(str, x.shape)) for x in tensors_of(args))


def output_names(result: Any) -> list[str]:
    """Return a graph's output names: the keys of a mapping, else "output", numbered if several."""
    if isinstance(result, Mapping) and all(isinstance(v, Tensor) for v in result.values()):
        return [str(key) for key in result]
    count = len(tensors_of(result))
    return ["output"] if count == 1 else [f"output_{i}" for i in range(count)]


def _outputs(model: nn.Module, args: tuple[Any, ...]) -> list[Tensor]:
    try:
        with torch.no_grad():
            return tensors_of(model(*args))
    except Exception as error:  # whatever a model raises
        raise ValueError(
            f"`dynamic` must hold only axes whose length the model can change: at {sizes_of(args)}"
            f" it raises {type(error).__name__}: {one_line(error)} (`verify` takes other sizes)"
        ) from error


def _allowed(wanted: Tensor, rtol: float | None) -> float:
    if not wanted.is_floating_point():
        return 0.0
    return TOLERANCES.get(wanted.dtype, 0.0) if rtol is None else rtol


def _error(where: str, name: str, found: Tensor, wanted: Tensor) -> float:
    """Return the largest error over the largest value; infinities in both are equal."""
    wanted = wanted.detach().cpu()
    if found.shape != wanted.shape:
        raise ExportError(
            f"{where}: `{name}` has shape {tuple(found.shape)}, the model's {tuple(wanted.shape)}"
        )
    found, wanted = found.double(), wanted.double()
    unequal = found != wanted  # NaN too
    if not unequal.any():
        return 0.0
    peak = float(wanted[wanted.isfinite()].abs().max()) if wanted.isfinite().any() else 0.0
    return float((found - wanted)[unequal].abs().max()) / (peak or 1.0)


def _beside_float64(
    model: nn.Module, args: tuple[Any, ...], index: int, wanted: Tensor, error: float
) -> tuple[type[ExportError], str]:
    """Compare the graph's error with the model's own error in its dtype.

    Args:
        model: as it was compared.
        args: at which the graph differs.
        index: of the output that differs.
        wanted: the model's output.
        error: of the graph.

    Returns:
        The kind of error to raise, and the end of its message.
    """
    if not wanted.is_floating_point() or wanted.dtype == torch.float64:
        return ExportError, ""
    dtype = str(wanted.dtype).removeprefix("torch.")
    try:
        exact = _in_float64(model, args)[index]
        if exact.dtype != torch.float64:
            raise TypeError(f"its output is {exact.dtype}")
        own = _error("in float64", "it", wanted.detach().cpu(), exact)
    except Exception as failure:  # whatever a model raises
        return ExportError, (
            f"; how far its own {dtype} is from float64 is not known, as the model does not run"
            f" in float64: {type(failure).__name__}: {one_line(failure)}"
        )
    beside = f"; the model's own {dtype} differs from float64 by {own:.2g}"
    if own * _ALIKE >= error:
        return InexactError, f"{beside}: so inexact is the model itself, and `rtol` may allow it"
    return ExportError, f"{beside}: the graph computes something else"


def _in_float64(model: nn.Module, args: tuple[Any, ...]) -> list[Tensor]:
    def double(leaf: Any) -> Any:
        return leaf.double() if isinstance(leaf, Tensor) and leaf.is_floating_point() else leaf

    with torch.no_grad():
        return tensors_of(copy.deepcopy(model).double()(*tree_map(double, args)))


def _onnxruntime(graph: bytes) -> tuple[str, Run]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # errors come as exceptions
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]
    declared = [value.shape for value in session.get_outputs()]

    def run(tensors: Sequence[Tensor]) -> list[Tensor]:
        if len(names) != len(tensors):
            raise ValueError(f"the graph has {len(names)} inputs, the model {len(tensors)}")
        feed = {name: x.detach().cpu().numpy() for name, x in zip(names, tensors)}
        outputs = [torch.from_numpy(out) for out in session.run(None, feed)]
        for shape, out in zip(declared, outputs):
            # onnxruntime would only warn, and other runtimes trust the file.
            if any(isinstance(n, int) and n != m for n, m in zip(shape, out.shape)):
                raise ValueError(f"an output of {tuple(out.shape)} is declared as {shape}")
        return outputs

    return onnxruntime.__version__, run


def _openvino(graph: bytes) -> tuple[str, Run]:
    import openvino

    core = openvino.Core()
    # On processors with bfloat16, OpenVINO would use it by default: too coarse for a comparison.
    hint = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = core.compile_model(core.read_model(graph), "CPU", hint)

    def run(tensors: Sequence[Tensor]) -> list[Tensor]:
        results = compiled([x.detach().cpu().numpy() for x in tensors])
        return [torch.from_numpy(results[i].copy()) for i in range(len(compiled.outputs))]

    return openvino.__version__.split("-")[0], run
