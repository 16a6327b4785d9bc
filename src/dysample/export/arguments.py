"""Check the arguments of `export_onnx` before minutes of work."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dysample.checks import check_choice, check_positive_int
from dysample.export.sizes import check_varied, other_sizes, traceable
from dysample.numeric import check_number

SAMPLERS = ("auto", "grid_sample", "gather")
"""How samples between pixels are taken, see `export_onnx`."""

OLDEST = 11
"""The oldest opset that is written."""

EXPORTED = 18
"""The oldest opset whose graphs `torch.export` makes; those of older ones are traces."""

_GRID_SAMPLE = range(16, 20)  # opsets that have it, as "bilinear": TensorRT knows no other name
_LARGEST = 2**31 - 2**20  # bytes that one ONNX file holds, with some room for the graph


def check_model(model: Any) -> None:
    """Raise unless `model` is a module whose weights fit into one ONNX file."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"`model` must be a torch.nn.Module, not {type(model).__name__}")
    if isinstance(model, torch.jit.ScriptModule):
        raise TypeError("`model` must be the module that this TorchScript program was made of")
    if hasattr(model, "_orig_mod"):
        raise TypeError(
            "`model` must be the module that torch.compile was given, `model._orig_mod`"
        )
    size = sum(t.numel() * t.element_size() for t in model.state_dict().values())
    if size > _LARGEST:
        raise ValueError(f"`model` (={size} bytes) must be at most {_LARGEST}, ONNX's limit a file")


def as_tuple(args: Any) -> tuple[Any, ...]:
    """Return the arguments of a call as a tuple; a tensor is a single argument."""
    if isinstance(args, Tensor):
        return (args,)
    if not isinstance(args, tuple):
        raise TypeError(f"`args` must be a tensor or a tuple, not {type(args).__name__}")
    return args


def check_opset(opset: Any, sampler: Any) -> str:
    """Return the sampler for a valid opset; `check_newest` checks the upper end."""
    if check_positive_int("opset", opset) < OLDEST:
        raise ValueError(f"`opset` (={opset}) must be at least {OLDEST}")
    if check_choice("sampler", sampler, SAMPLERS) == "auto":
        return "grid_sample" if opset in _GRID_SAMPLE else "gather"
    if sampler == "grid_sample" and opset < _GRID_SAMPLE.start:
        raise ValueError(
            f"`sampler` (='grid_sample') must be 'gather' at `opset` (={opset}): ONNX has"
            f" GridSample from opset {_GRID_SAMPLE.start} on"
        )
    return str(sampler)


def check_newest(opset: int) -> None:
    """Raise if the installed onnx does not know the opset yet."""
    import onnx

    newest = onnx.defs.onnx_opset_version()
    if opset > newest:
        raise ValueError(
            f"`opset` (={opset}) must be at most {newest}, the newest that the installed onnx"
            f" {onnx.__version__} knows"
        )


def check_verify(
    verify: Any, opset: int, args: tuple[Any, ...], axes: Sequence[str]
) -> list[tuple[Any, ...]]:
    """Return the arguments at which outputs are compared; none without a comparison.

    Args:
        verify: as `export_onnx` takes it.
        opset: below 18 the comparison is mandatory.
        args: example inputs.
        axes: names of those that may change.
    """
    if verify is True:
        return other_sizes(args, axes)
    if verify is False:
        if opset < EXPORTED:
            raise ValueError(
                f"`verify` (=False) must be True or arguments to compare at, at `opset` (={opset}):"
                f" below {EXPORTED} graphs are traces, in which sizes may have become constants"
            )
        return []
    if isinstance(verify, (str, Tensor)) or not isinstance(verify, Sequence):
        raise TypeError(f"`verify` must be True, False or a list of arguments, not {type(verify)}")
    others = [as_tuple(other) for other in verify]
    if not others:
        raise ValueError("`verify` (=[]) must hold arguments to compare at, or be False")
    if opset < EXPORTED:
        check_varied(others, traceable(args, axes), axes)
    return others


def check_rtol(rtol: Any) -> None:
    """Raise unless it is None or a number above 0 and below 1."""
    if rtol is not None and check_number("rtol", rtol) >= 1:
        raise ValueError(
            f"`rtol` (={rtol}) must be below 1: it counts from an output's largest value"
        )


def check_names(argument: str, names: Any, count: int, of: str) -> list[str]:
    """Check the names of a graph's inputs or outputs.

    Args:
        argument: that holds them.
        names: what it holds.
        count: how many there must be.
        of: what each of them is for.
    """
    if isinstance(names, str) or not isinstance(names, Sequence):
        raise TypeError(f"`{argument}` (={names!r}) must be a list of names")
    if any(not isinstance(name, str) or not name for name in names):
        raise TypeError(f"`{argument}` (={names!r}) must hold names that are not empty")
    if len(names) != count:
        raise ValueError(f"`{argument}` (={names!r}) must hold {count} names, one for each {of}")
    if len(set(names)) < count:
        raise ValueError(f"`{argument}` (={names!r}) must hold each name once")
    return list(names)


def check_path(path: Path) -> None:
    """Raise unless a file can be written there."""
    if not path.parent.is_dir():
        raise FileNotFoundError(f"`path` must lie in a folder that exists: {path.parent}")
    if path.is_dir():
        raise IsADirectoryError(f"`path` must be a file, not a folder: {path}")
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(f"`path` must lie in a folder that can be written: {path.parent}")


def check_libraries(*names: str) -> None:
    """Raise for a library that is not installed."""
    for name in names:
        if importlib.util.find_spec(name) is None:
            raise ModuleNotFoundError(
                f"no module {name}: pip install 'dysample[export]'", name=name
            )
