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


def first_argument() -> Any:
    """Return the first argument of the model's innermost function: a module, for a method."""
    frame = sys._getframe()
    while frame is not None:
        code = frame.f_code
        if not (_is_ours((code.co_filename, 0)) or code.co_filename.startswith(_TORCH)):
            return frame.f_locals.get(code.co_varnames[0]) if code.co_argcount else None
        frame = frame.f_back  # type: ignore[assignment]
    return None


def line_of(place: str) -> str:
    """Return the line of the call itself."""
    return place.partition(" ")[0]


class Occurrences:
    """Names for the calls of one run: the place, and how often the run has met it before."""

    def __init__(self) -> None:
        self.met: dict[str, int] = {}

    def name(self, place: str) -> str:
        """Return the place for the first call there, "place #1" for the second, and so on."""
        times = self.met.get(place, 0)
        self.met[place] = times + 1
        return f"{place} #{times}" if times else place


def without_occurrence(name: str) -> str:
    """Return the place in a name of `Occurrences`."""
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
    # Not those of `recipes`, a folder below: they are hosts.
    return os.path.dirname(frame[0]) == _HERE


def _short(file: str) -> str:
    """Return a file's name, without the number that torch.fx gives each generated file."""
    return file.partition(">")[0] + ">" if file.startswith("<") else os.path.basename(file)
