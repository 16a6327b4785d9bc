"""Export to ONNX, verified at other sizes than the traced one."""

from __future__ import annotations

import inspect
import io
import logging
import warnings
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from dysample.checks import one_line
from dysample.export import arguments, check
from dysample.export.check import Comparison, ExportError, compare, sizes_of, tensors_of
from dysample.export.sizes import AXES, check_dynamic, dynamic_shapes, other_sizes, traceable
from dysample.export.trace import trace
from dysample.files import whole_file
from dysample.modes import evaluated
from dysample.ops import backend

if TYPE_CHECKING:
    from onnx import ModelProto


@dataclass(frozen=True)
class Export:
    """The result of an export.

    Attributes:
        path: of the file.
        opset: its version of ONNX's operators.
        sampler: "grid_sample" or "gather".
        comparisons: runs beside the model before it was written.
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
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
    verify: bool | Sequence[Tensor | tuple[Any, ...]] = True,
    rtol: float | None = None,
) -> Export:
    """Export a model to an ONNX file, if the graph gives the model's numbers.

    The graph is made for any batch, height and width. Before the file is written, the graph and the
    model run at two other sizes than those of `args`: in onnxruntime, and in OpenVINO if that is
    installed. The model is exported in eval mode.

    Args:
        model: an upsampler, or any model.
        args: example inputs, as the model is called with them.
        path: of the file.
        opset: version of ONNX's operators, at least 11. From 18 on `torch.export` makes the graph,
            below that a trace, for which the comparison is mandatory.
        sampler: "grid_sample" uses ONNX's GridSample, of opset 16 and later; "gather" nothing but
            gathers, sums and products, for runtimes that have no GridSample or a wrong one; the
            numbers are the same. "auto" is "grid_sample" at opsets 16 to 19, else "gather": from 20
            on TensorRT silently takes the nearest pixel for GridSample.
        dynamic: which of "batch", "height" and "width" may differ from `args`, in all tensors with
            4 axes; the others are constants.
        input_names: one for each tensor in `args`; by default the forward's parameters.
        output_names: one for each tensor that the model returns; by default the keys of a mapping,
            else "output", numbered if there are several.
        verify: whether outputs are compared; or the arguments to compare at, in place of the two
            other sizes.
        rtol: largest accepted error, over the largest value of an output; by default 1e-4 in
            float32 and 2e-2 in float16. Whole numbers must be equal.

    Returns:
        The file that was written, and the errors.

    Raises:
        TypeError, ValueError: naming the argument, the rule and the value.
        ModuleNotFoundError: the extra `export` is not installed.
        ExportError: the model cannot be exported, or a runtime's outputs differ from its own; then
            the message holds the model's own error beside float64. There is no new file then.
    """
    path = Path(path)
    given = arguments.as_tuple(args)
    arguments.check_model(model)
    sampler = arguments.check_opset(opset, sampler)
    axes = check_dynamic(dynamic, given)
    others = arguments.check_verify(verify, opset, given, axes)
    arguments.check_rtol(rtol)
    if input_names is not None:
        count = len(tensors_of(given))
        arguments.check_names("input_names", input_names, count, "tensor in `args`")
    arguments.check_path(path)
    arguments.check_libraries("onnx", "onnxscript", *(["onnxruntime"] if others else []))
    arguments.check_newest(opset)
    with evaluated(model):
        inputs = list(input_names or _parameters(model, given))
        outputs = _outputs(model, given, output_names, inputs)
        given = traceable(given, axes)
        graph = _graph(model, given, axes, opset, sampler, inputs, outputs)
        comparisons: tuple[Comparison, ...] = ()
        if others:
            try:
                comparisons = compare(graph, model, others, outputs, rtol)
            except ExportError as error:
                reason = _reason(error, graph, model, given, axes, opset, outputs)
                raise type(error)(f"{error}{reason}") from error
    with whole_file(path) as file:
        file.write(graph)
    return Export(path, opset, sampler, comparisons)


def _graph(
    model: nn.Module,
    args: tuple[Any, ...],
    axes: Sequence[str],
    opset: int,
    sampler: str,
    inputs: Sequence[str],
    outputs: Sequence[str],
) -> bytes:
    """Return the ONNX model in that opset, with ONNX's operators alone."""
    shapes = dynamic_shapes(args, axes)
    try:
        with backend(sampler), torch.no_grad(), _quiet():
            # Below opset 18 too: this refuses branches on values, of which a trace would keep one.
            program = torch.export.export(model, args, dynamic_shapes=shapes, strict=False)
            if opset < arguments.EXPORTED:
                graph = trace(model, args, axes, opset, inputs, outputs)
            else:
                graph = _converted(program, opset, inputs, outputs)
    except ModuleNotFoundError:
        raise
    except Exception as error:  # tracers and exporters raise anything
        raise ExportError(
            f"{type(model).__name__} cannot be exported with `dynamic` (={tuple(axes)!r}):"
            f" {one_line(error)}"
        ) from error
    foreign = {node.domain for node in graph.graph.node} - {"", "ai.onnx"}
    if foreign:
        raise ExportError(
            f"{type(model).__name__} holds operators that runtimes do not know, of"
            f" {', '.join(sorted(foreign))}"
        )
    written = {item.version for item in graph.opset_import if item.domain in ("", "ai.onnx")}
    if written != {opset}:
        raise ExportError(
            f"{type(model).__name__} cannot be exported at `opset` (={opset}): the graph is one of"
            f" opset {', '.join(map(str, written))}, and the exporter could not convert it"
        )
    content: bytes = graph.SerializeToString()
    return content


def _converted(
    program: torch.export.ExportedProgram,
    opset: int,
    inputs: Sequence[str],
    outputs: Sequence[str],
) -> ModelProto:
    """Return the ONNX model of a program."""
    converted = torch.onnx.export(
        program,
        dynamo=True,
        opset_version=opset,
        input_names=inputs or None,
        output_names=outputs,
        verbose=False,
    )
    assert converted is not None
    return converted.model_proto


def _reason(
    error: ExportError,
    graph: bytes,
    model: nn.Module,
    args: tuple[Any, ...],
    axes: Sequence[str],
    opset: int,
    outputs: Sequence[str],
) -> str:
    """Return why a graph differs from the model, as far as other arguments tell, or nothing."""

    def agrees(other: Any) -> bool:
        try:
            compare(graph, model, [other], outputs)
        except ExportError:
            return False
        except ValueError:  # the model does not take that size
            pass
        return True

    newer = f"; `opset` (={opset}) may have to be higher" if opset < arguments.EXPORTED else ""
    if isinstance(error, check.InexactError):
        return ""
    if not axes or not agrees(args):
        return newer
    wrong = [name for name in axes if not all(map(agrees, other_sizes(args, (name,))))]
    return (
        f"; at {sizes_of(args)} they agree: the graph holds {', '.join(wrong or axes)} as a"
        f" constant, to be left out of `dynamic` (={tuple(axes)!r}){newer}"
    )


def _outputs(
    model: nn.Module,
    args: tuple[Any, ...],
    names: Sequence[str] | None,
    inputs: Sequence[str],
) -> list[str]:
    """Return the output names, one for each tensor that the model returns."""
    try:
        result = model(*args)
    except Exception as error:  # whatever a model raises
        raise ValueError(
            f"`args` must be what the model takes: at {sizes_of(args)} it raises"
            f" {type(error).__name__}: {one_line(error)}"
        ) from error
    tensors = tensors_of(result)
    if not tensors:
        raise TypeError(f"`model` must return tensors, not {type(result).__name__}")
    names = check.output_names(result) if names is None else names
    names = arguments.check_names("output_names", names, len(tensors), "tensor of the result")
    if both := set(names) & set(inputs):
        raise ValueError(f"`output_names` (={names!r}) must not be those of inputs: {sorted(both)}")
    return names


def _parameters(model: nn.Module, args: tuple[Any, ...]) -> list[str]:
    """Return the names of the forward's parameters if each argument is a tensor, else none."""
    names = list(inspect.signature(model.forward).parameters)
    if len(names) < len(args) or not all(isinstance(x, Tensor) for x in args):
        return []
    return names[: len(args)]


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence exporters: deprecation warnings, and those of conversions checked here.

    On failure they print the whole graph in any case.
    """
    loggers = [logging.getLogger(name) for name in ("onnxscript", "onnx_ir", "torch")]
    levels = [logger.level for logger in loggers]
    print_graph = torch._C._jit_onnx_log
    try:
        torch._C._jit_onnx_log = lambda *_: None
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        torch._C._jit_onnx_log = print_graph
        for logger, level in zip(loggers, levels):
            logger.setLevel(level)
