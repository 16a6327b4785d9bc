"""ONNX files through torch.export, right at other sizes than the traced one or not there at all."""

from __future__ import annotations

import importlib.util
import inspect
import warnings
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dysample.checks import check_choice, check_positive_int
from dysample.export.check import Comparison, ExportError, compare, one_line, output_names
from dysample.export.sizes import AXES, check_dynamic, dynamic_shapes, other_sizes, traceable
from dysample.files import whole_file
from dysample.modes import evaluated
from dysample.ops import backend

SAMPLERS = ("auto", "grid_sample", "gather")
"""How samples between pixels are taken, see `export_onnx`."""

_LARGEST = 2**31 - 2**20  # bytes that one ONNX file holds, with some room for the graph


@dataclass(frozen=True)
class Export:
    """An ONNX file that was written.

    Attributes:
        path: where.
        opset: its version of ONNX's operators.
        sampler: "grid_sample" or "gather".
        comparisons: what it was compared with before.
    """

    path: Path
    opset: int
    sampler: str
    comparisons: tuple[Comparison, ...]


def export_onnx(
    model: nn.Module,
    args: Tensor | tuple[Any, ...],
    path: str | Path,
    *,
    opset: int = 18,
    sampler: str = "auto",
    dynamic: Collection[str] = tuple(AXES),
    verify: bool | Sequence[Tensor | tuple[Any, ...]] = True,
) -> Export:
    """Write a model that holds upsamplers as an ONNX file, if it gives the model's numbers.

    The graph is made by `torch.export`, for any batch, height and width. Before the file exists it
    runs in onnxruntime, and in OpenVINO where that is installed, at two other sizes than those of
    `args`, beside the model itself. The model is exported as it is in eval mode.

    Args:
        model: an upsampler, or any model.
        args: example inputs, as the model is called with them.
        path: of the file.
        opset: version of ONNX's operators, at least 18.
        sampler: "grid_sample" uses ONNX's GridSample, "gather" nothing but gathers, sums and
            products, for runtimes that have no GridSample or a wrong one; the numbers are the same.
            "auto" is "grid_sample" up to opset 19 and "gather" from 20 on, where TensorRT silently
            takes the nearest pixel instead.
        dynamic: which of "batch", "height" and "width" may differ from `args`, in all tensors with
            4 axes; the others are written down as constants.
        verify: whether outputs are compared; or the arguments to compare at, in place of the two
            other sizes.

    Returns:
        What was written, and how large the errors are.

    Raises:
        TypeError, ValueError: naming the argument, the rule and the value.
        ModuleNotFoundError: the extra `export` is not installed.
        ExportError: the model cannot be exported, or a runtime's outputs differ from its own. There
            is no new file then.
    """
    path = Path(path)
    args = _tuple(args)
    if check_positive_int("opset", opset) < 18:
        raise ValueError(f"`opset` (={opset}) must be at least 18, the oldest that torch writes")
    if check_choice("sampler", sampler, SAMPLERS) == "auto":
        sampler = "grid_sample" if opset < 20 else "gather"
    axes = check_dynamic(dynamic, args)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"`path` must lie in a folder that exists: {path.parent}")
    _check_bytes(model)
    _check_libraries("onnx", "onnxscript", *(() if verify is False else ("onnxruntime",)))
    with evaluated(model):
        graph, names = _graph(model, traceable(args, axes), axes, opset, sampler)
        comparisons: tuple[Comparison, ...] = ()
        if verify is not False:
            others = other_sizes(args, axes) if verify is True else list(map(_tuple, verify))
            comparisons = compare(graph, model, others, names)
    with whole_file(path) as file:
        file.write(graph)
    return Export(path, opset, sampler, comparisons)


def _graph(
    model: nn.Module, args: tuple[Any, ...], axes: Sequence[str], opset: int, sampler: str
) -> tuple[bytes, list[str]]:
    """The ONNX model of a traced model, and the names of its outputs."""
    with torch.no_grad():
        names = output_names(model(*args))
    try:
        with backend(sampler), torch.no_grad(), warnings.catch_warnings():
            # The exporters warn of their own future.
            warnings.simplefilter("ignore")
            traced = torch.export.export(
                model, args, dynamic_shapes=dynamic_shapes(args, axes), strict=False
            )
            program = torch.onnx.export(
                traced,
                dynamo=True,
                opset_version=opset,
                input_names=_input_names(model, args),
                output_names=names,
                verbose=False,
            )
    except ModuleNotFoundError:
        raise
    except Exception as error:  # the tracer and the exporter raise all sorts
        raise ExportError(
            f"{type(model).__name__} cannot be exported with `dynamic` (={axes!r}):"
            f" {one_line(error)}"
        ) from error
    assert program is not None
    foreign = {node.domain for node in program.model.graph} - {"", "ai.onnx"}
    if foreign:
        raise ExportError(
            f"{type(model).__name__} holds operators that runtimes do not know, of"
            f" {', '.join(sorted(foreign))}"
        )
    return program.model_proto.SerializeToString(), names


def _tuple(args: Tensor | tuple[Any, ...]) -> tuple[Any, ...]:
    if isinstance(args, Tensor):
        return (args,)
    if not isinstance(args, tuple):
        raise TypeError(f"`args` must be a tensor or a tuple, not {type(args).__name__}")
    return args


def _input_names(model: nn.Module, args: tuple[Any, ...]) -> list[str] | None:
    """Names of the forward's parameters, if each argument is a tensor."""
    names = list(inspect.signature(model.forward).parameters)
    if len(names) < len(args) or not all(isinstance(x, Tensor) for x in args):
        return None
    return names[: len(args)]


def _check_libraries(*names: str) -> None:
    """Raise for what would be missed after minutes of tracing."""
    for name in names:
        if importlib.util.find_spec(name) is None:
            raise ModuleNotFoundError(
                f"no module {name}: pip install 'dysample[export]'", name=name
            )


def _check_bytes(model: nn.Module) -> None:
    size = sum(t.numel() * t.element_size() for t in model.state_dict().values())
    if size > _LARGEST:
        raise ValueError(f"`model` (={size} bytes) must be at most {_LARGEST}, ONNX's limit a file")
