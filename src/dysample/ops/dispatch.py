"""Choose the backend of a call; one predicate chooses, explains and refuses."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from torch._C import _functorch

from dysample.backends.cpu import library
from dysample.backends.samplers import SAMPLERS, Sampler
from dysample.checks import check_choice, is_forward_mode, is_tracing

BACKENDS = ("auto", "cpu", "eager", *SAMPLERS)
"""`cpu`: the fused kernels; `eager`: plain torch; `auto`: the first of them that can run a call;
`grid_sample`, `gather`: graphs for exporters, which differ in how they sample.
"""

VARIABLE = "DYSAMPLE_BACKEND"
"""Environment variable that holds the backend of a process."""

DERIVATIVES = {_functorch.TransformType.Grad, _functorch.TransformType.Jvp}

_LARGEST = 2**23  # largest side for which float32 still tells positions apart


@dataclass(frozen=True)
class Choice:
    """The backend of one call of a primitive.

    Attributes:
        primitive: its name.
        backend: "cpu", "eager", or the sampler of a graph for exporters.
        why_not: why the CPU kernels did not run it; None if they did.
    """

    primitive: str
    backend: str
    why_not: str | None


_forced = check_choice(VARIABLE, os.environ.get(VARIABLE) or "auto", BACKENDS)
_records: list[Choice] | None = None


@contextmanager
def backend(name: str) -> Iterator[None]:
    """Run every call within on one backend, in the whole process.

    >>> import torch, dysample
    >>> up = dysample.DySample(8)
    >>> with dysample.backend("eager"):
    ...     out = up(torch.zeros(1, 8, 4, 4))

    Args:
        name: "eager" (plain torch), "cpu" (the fused kernels; calls that they cannot run raise
            the reason), "auto" (the kernels where they can run, the default), or one for
            exporters: "grid_sample" or "gather" make graphs that are right at sizes other than the
            traced one, with torch's sampler or with gathers alone. The environment variable
            DYSAMPLE_BACKEND sets the same for a process. Threads share it: enter it once around
            them, not in each.
    """
    global _forced
    before = _forced
    _forced = check_choice("name", name, BACKENDS)
    try:
        yield
    finally:
        _forced = before


def forced() -> str:
    """The backend that calls run on now, one of `BACKENDS`."""
    return _forced


def why_not(*tensors: Tensor | None) -> str | None:
    """Return why the CPU kernels cannot run a call on these tensors; None if they can."""
    if library.missing is not None:
        return library.missing
    if torch.onnx.is_in_onnx_export():
        return "ONNX knows torch's own operators alone"
    if is_tracing():
        return "TorchScript files hold torch's own operators alone"
    if any(kind in DERIVATIVES for kind in _transforms()):
        return "torch.func and forward-mode derivatives take torch's own operators alone"
    for tensor in tensors:
        if tensor is None:
            continue
        if tensor.device.type != "cpu":
            return f"a tensor lies on {tensor.device}"
        if tensor.dtype not in library.DTYPES:
            return f"the CPU kernels take no {tensor.dtype}"
        if tensor.layout != torch.strided:
            return f"the CPU kernels take no {tensor.layout} tensors"
        if max(tensor.shape[-2:]) > _LARGEST:
            return f"an axis is longer than {_LARGEST} pixels"
    return None


def runs_on_cpu(primitive: str, *tensors: Tensor | None) -> bool:
    """Whether the CPU kernels run this call of a primitive.

    Args:
        primitive: its name.
        tensors: its arguments.

    Raises:
        RuntimeError: if they were requested and cannot; the message is that of `why_not`.
    """
    aside = _forced not in ("auto", "cpu")
    reason = f"the backend is set to {_forced!r}" if aside else why_not(*tensors)
    if reason is not None and _forced == "cpu":
        raise RuntimeError(f"{primitive}: backend 'cpu' cannot run this call: {reason}")
    if _records is not None:
        chosen = "cpu" if reason is None else _plain()
        _records.append(Choice(primitive, chosen, reason))
    return reason is None


def graph_sampler() -> Sampler | None:
    """Return the requested sampler of graphs for exporters; None if plain torch runs."""
    return SAMPLERS.get(_plain())


def _plain() -> str:
    """Return the backend of calls that the CPU kernels do not run."""
    if _forced in SAMPLERS:
        return _forced
    if torch.onnx.is_in_onnx_export() or is_tracing():
        return "grid_sample"
    return "gather" if _transforms() else "eager"


def _transforms() -> set[_functorch.TransformType]:
    """Return the active torch.func transforms, Jvp included for dual tensors made by hand.

    functorch cannot differentiate our autograd functions in plain torch, and forward mode silently
    treats custom operators as constants. Under either, the graph of torch's own operators runs.
    """
    if is_forward_mode():
        return {_functorch.TransformType.Jvp}
    if torch.compiler.is_compiling():  # torch.compile traces operators in any case
        return set()
    return {level.key() for level in _functorch.get_interpreter_stack() or ()}


@contextmanager
def recorded() -> Iterator[list[Choice]]:
    """Collect the backend choices of all calls within the context."""
    global _records
    before, _records = _records, []
    try:
        yield _records
    finally:
        _records = before
