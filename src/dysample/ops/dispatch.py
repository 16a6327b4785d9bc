"""Choose the backend of a call; one predicate chooses, explains and refuses."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from torch._C import _functorch

from dysample.backends.cpu import library
from dysample.backends.gpu import support
from dysample.backends.samplers import SAMPLERS, Sampler
from dysample.checks import FLOATS, check_choice, is_forward_mode, is_tracing

KERNELS = ("cpu", "triton")
"""The fused kernels: in C++ for tensors on a CPU, in Triton for those on a GPU."""

BACKENDS = ("auto", *KERNELS, "eager", *SAMPLERS)
"""`eager`: plain torch; `auto`: the fused kernels of the tensors' device where they can run a call,
otherwise plain torch; `grid_sample`, `gather`: graphs for exporters, which differ in how they
sample.
"""

WITHOUT_TRITON = {
    "offset_field": "on a GPU, torch's own convolution makes the offsets",
}
"""Primitives that plain torch runs on a GPU, even if Triton's kernels are requested, and why."""

VARIABLE = "DYSAMPLE_BACKEND"
"""Environment variable that holds the backend of a process."""

DERIVATIVES = {_functorch.TransformType.Grad, _functorch.TransformType.Jvp}

_LARGEST = 2**23  # largest side for which float32 still tells positions apart
_MOST_CHANNELS = 2**17  # of features, as many as programs of a Triton kernel share
_WIDEST = 9  # largest kernel size whose weights of a pixel fit a GPU's registers


@dataclass(frozen=True)
class Choice:
    """The backend of one call of a primitive.

    Attributes:
        primitive: its name.
        backend: "cpu", "triton", "eager", or the sampler of a graph for exporters.
        why_not: why no fused kernel ran it; None if one did.
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
        name: "eager" (plain torch), "cpu" or "triton" (the fused kernels; calls that they cannot
            run raise the reason), "auto" (those of the tensors' device where they can run, the
            default), or one for exporters: "grid_sample" or "gather" make graphs that are right at
            sizes other than the traced one, with torch's sampler or with gathers alone. The
            environment variable DYSAMPLE_BACKEND sets the same for a process. Threads share it:
            enter it once around them, not in each.
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


def why_not(*tensors: Tensor | None, kernel: int | None = None) -> str | None:
    """Return why the fused kernels cannot run a call on these tensors; None if they can.

    Args:
        tensors: the arguments of the call, features first.
        kernel: k, if it has one.
    """
    given = [tensor for tensor in tensors if tensor is not None]
    triton = _kernels(given) == "triton"
    reason = support.why_not(given[0].device) if triton else library.missing
    if reason is not None:
        return reason
    if torch.onnx.is_in_onnx_export():
        return "ONNX knows torch's own operators alone"
    if is_tracing():
        return "TorchScript files hold torch's own operators alone"
    if any(kind in DERIVATIVES for kind in _transforms()):
        return "torch.func and forward-mode derivatives take torch's own operators alone"
    name = "Triton" if triton else "CPU"
    for tensor in given:
        if triton and tensor.device != given[0].device:
            return f"tensors lie on {given[0].device} and {tensor.device}"
        if not triton and tensor.device.type != "cpu":
            return f"a tensor lies on {tensor.device}"
        if tensor.dtype not in FLOATS:
            return f"the {name} kernels take no {tensor.dtype}"
        if tensor.layout != torch.strided:
            return f"the {name} kernels take no {tensor.layout} tensors"
        if max(tensor.shape[-2:]) > _LARGEST:
            return f"an axis is longer than {_LARGEST} pixels"
    if triton and given[0].shape[1] > _MOST_CHANNELS:
        return f"there are more than {_MOST_CHANNELS} channels"
    if triton and kernel is not None and kernel > _WIDEST:
        return f"the kernel size (={kernel}) is above {_WIDEST}"
    return None


def runs_fused(primitive: str, *tensors: Tensor | None, kernel: int | None = None) -> bool:
    """Whether the fused kernels run this call of a primitive.

    Args:
        primitive: its name.
        tensors: its arguments, features first.
        kernel: k, if it has one.

    Raises:
        RuntimeError: if they were requested and cannot; the message is that of `why_not`.
    """
    fused = _kernels(tensors)
    own = WITHOUT_TRITON.get(primitive) if fused == "triton" else None
    if _forced in ("auto", *KERNELS):
        reason = own or why_not(*tensors, kernel=kernel)
    else:
        reason = f"the backend is set to {_forced!r}"
    if reason is not None and own is None and _forced in KERNELS:
        raise RuntimeError(f"{primitive}: backend {_forced!r} cannot run this call: {reason}")
    if _records is not None:
        _records.append(Choice(primitive, fused if reason is None else _plain(), reason))
    return reason is None


def _kernels(tensors: Sequence[Tensor | None]) -> str:
    """Return which of `KERNELS` are for these tensors."""
    if _forced in KERNELS:
        return _forced
    on_gpu = any(tensor is not None and tensor.device.type == "cuda" for tensor in tensors)
    return "triton" if on_gpu else "cpu"


def graph_sampler() -> Sampler | None:
    """Return the requested sampler of graphs for exporters; None if plain torch runs."""
    return SAMPLERS.get(_plain())


def _plain() -> str:
    """Return the backend of calls that no fused kernel runs."""
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
