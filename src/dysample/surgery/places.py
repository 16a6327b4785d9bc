"""Identify a call by its place in the code: the lines from a module's forward down to it.

A running number would be worse: it changes with every branch that the forward takes before. Lines
are the same in eager mode, where Python's frames tell them, and while dynamo traces, where its own
record of the frames does.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch._guards import TracingContext

_HERE = os.path.dirname(sys._getframe().f_code.co_filename)
_TORCH = os.path.dirname(torch.__file__) + os.sep

Frame = tuple[str, int]
"""File and line."""


def place() -> str:
    """Return the lines from the innermost wrapped forward to the call, innermost first.

    Called by the torch function mode that sees the call. A file is given by its name alone, since
    its folder differs between machines. Frames of torch are left out: those of a decorator or of
    `nn.Module.__call__` differ between releases.
    """
    frames = _user_frames()
    return " < ".join(f"{_short(file)}:{line}" for file, line in frames)


# What torch.compiler.assume_constant_result does, which would import the compiler: dynamo runs the
# function while it traces, where it would break the graph.
place._dynamo_marked_constant = True  # type: ignore[attr-defined]


def method_owner() -> nn.Module | None:
    """The module whose method makes the call, perhaps by functions that are no methods."""
    inside = False
    frame = sys._getframe()
    while frame is not None:
        code = frame.f_code
        if _is_ours((code.co_filename, 0)):
            if inside:
                return None
        elif not code.co_filename.startswith(_TORCH):
            inside = True
            first = frame.f_locals.get(code.co_varnames[0]) if code.co_argcount else None
            if isinstance(first, nn.Module):
                return first
        frame = frame.f_back  # type: ignore[assignment]
    return None


def mode_of(
    input: Tensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    *_: Any,
    **__: Any,
) -> str:
    """The mode of a call of `F.interpolate`, given what it is called with."""
    return f"{mode}, corners" if align_corners else mode


def line_of(place: str) -> str:
    """Return the line of the call itself."""
    return place.partition(" ")[0]


class Occurrences:
    """Names for the calls of one run: place, mode, and how often the run has met both before."""

    def __init__(self) -> None:
        self.met: dict[str, int] = {}

    def name(self, place: str, mode: str) -> str:
        """Place and mode of the first call there, "place mode #1" of the second, and so on."""
        call = f"{place} {mode}"
        times = self.met.get(call, 0)
        self.met[call] = times + 1
        return f"{call} #{times}" if times else call


def without_occurrence(name: str) -> str:
    """Place and mode in a name of `Occurrences`."""
    return name.partition(" #")[0]


def _user_frames() -> list[Frame]:
    traced = [(f.filename, f.lineno or 0) for f in reversed(TracingContext.extract_stack())]
    if any(map(_is_ours, traced)):
        found, at_wrapper = _collect(iter(traced))
        if at_wrapper:
            return found
        # Dynamo compiles a function below the wrapper: the rest of the way is on the stack, which
        # begins with that function once more.
        return found + _collect(_python_frames())[0][1:]
    return _collect(_python_frames())[0]


def _collect(frames: Iterator[Frame]) -> tuple[list[Frame], bool]:
    """Collect the frames between those of surgery that see the call and wrap the forward."""
    found: list[Frame] = []
    inside = False
    for frame in frames:
        if _is_ours(frame):
            if inside:
                return found, True
            continue
        inside = True
        if not frame[0].startswith(_TORCH):
            found.append(frame)
    return found, False


def _python_frames() -> Iterator[Frame]:
    frame = sys._getframe()
    while frame is not None:
        yield frame.f_code.co_filename, frame.f_lineno or 0
        frame = frame.f_back  # type: ignore[assignment]


def _is_ours(frame: Frame) -> bool:
    # The files in the subfolder `recipes` count as code of the host.
    return os.path.dirname(frame[0]) == _HERE


def _short(file: str) -> str:
    """Return a file's name, without the number that torch.fx gives each generated file."""
    return file.partition(">")[0] + ">" if file.startswith("<") else os.path.basename(file)
