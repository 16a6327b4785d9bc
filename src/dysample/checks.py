"""Argument checks shared by every layer. Each error names the argument, the rule and the value."""

from __future__ import annotations

from collections.abc import Collection
from numbers import Integral
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from dysample.numeric import check_int

FLOATS = (torch.float32, torch.float64, torch.bfloat16, torch.float16)
"""Dtypes of features: narrower ones only store."""


def is_int(value: Any) -> bool:
    """Whether a value is an integer, numpy's included; a bool is not.

    Lengths in an exporter count too: symbols of torch.export, tensors of a trace.
    """
    if isinstance(value, Tensor):
        return is_tracing()
    return isinstance(value, (Integral, torch.SymInt)) and not isinstance(value, bool)


def is_tracing() -> bool:
    """Whether `torch.jit.trace` records what runs; sizes are tensors then."""
    return bool(torch.jit.is_tracing())  # type: ignore[attr-defined, no-untyped-call]


def is_forward_mode() -> bool:
    """Whether forward-mode derivatives are taken around the call, by torch.func or without it."""
    return forward_ad._current_level >= 0


def check_reverse_mode(primitive: str) -> None:
    """Raise in forward mode, whose derivatives would be lost in a fused kernel."""
    if is_forward_mode():
        raise NotImplementedError(
            f"`{primitive}` has no forward-mode derivative in the fused kernels:"
            " run, or trace, what leads to it within the dual level too"
        )


def check_positive_int(name: str, value: Any) -> int:
    """Return `value` if it is an integer of at least 1; an exporter's symbols stay symbols."""
    if isinstance(value, Integral) or not is_int(value):
        return check_int(name, value)
    if value < 1:
        raise ValueError(f"`{name}` (={value}) must be at least 1")
    return value  # type: ignore[no-any-return]


def check_odd(name: str, value: Any) -> int:
    """Return `value` if it is an odd integer of at least 1."""
    odd = check_positive_int(name, value)
    if odd % 2 == 0:
        raise ValueError(f"`{name}` (={value}) must be odd")
    return odd


def check_bool(name: str, value: Any) -> bool:
    """Return `value` if it is True or False."""
    if not isinstance(value, bool):
        raise TypeError(f"`{name}` (={value!r}) must be True or False")
    return value


def check_choice(name: str, value: Any, choices: Collection[str]) -> str:
    """Return `value` if it is one of `choices`."""
    if value not in choices:
        raise ValueError(f"`{name}` (={value!r}) must be one of {', '.join(map(repr, choices))}")
    return value  # type: ignore[no-any-return]


def check_divides(name: str, value: int, of_name: str, of_value: int) -> None:
    """Raise unless `value` divides `of_value`."""
    if of_value % value != 0:
        raise ValueError(f"`{name}` (={value}) must divide {of_name} (={of_value})")


def check_numbers(name: str, value: Any) -> Tensor:
    """Return `value` if it is a dense floating-point tensor in a dtype that torch computes in."""
    if not isinstance(value, Tensor):
        raise TypeError(f"`{name}` must be a tensor, not {type(value).__name__}")
    if value.is_nested:
        raise TypeError(f"`{name}` must be dense, not a nested tensor")
    if value.layout != torch.strided:
        raise TypeError(f"`{name}` must be dense, not {value.layout}")
    if not value.is_floating_point():
        raise TypeError(f"`{name}` must be floating, not {value.dtype}")
    if value.dtype not in FLOATS:
        raise TypeError(f"`{name}` must be floating with 16 bits or more, not {value.dtype}")
    return value


def check_feature(name: str, value: Any, channels: int | None = None) -> Tensor:
    """Return `value` if it is a floating feature map (B, C, H, W) with C, H, W at least 1."""
    check_numbers(name, value)
    if value.dim() != 4:
        raise ValueError(f"`{name}` must have 4 axes (B, C, H, W), not {value.dim()}")
    if channels is not None and value.shape[1] != channels:
        raise ValueError(
            f"`{name}` channels (={value.shape[1]}) must equal the module's (={channels})"
        )
    for axis, length in zip(("channels", "height", "width"), value.shape[1:]):
        if length < 1:
            raise ValueError(f"`{name}` {axis} (={length}) must be at least 1")
    return value  # type: ignore[no-any-return]


def check_same_batch(name: str, value: Tensor, x: Tensor, of: str = "x") -> None:
    """Raise unless `value` has the batch size of `x`, an argument called `of`."""
    if value.shape[0] != x.shape[0]:
        raise ValueError(
            f"`{name}` batch (={value.shape[0]}) must equal that of `{of}` (={x.shape[0]})"
        )


def check_same_device(name: str, value: Tensor, x: Tensor, of: str = "x") -> None:
    """Raise unless `value` lies on the device of `x`, an argument called `of`."""
    if value.device != x.device:
        raise ValueError(
            f"`{name}` device (={value.device}) must equal that of `{of}` (={x.device})"
        )


def check_beside(name: str, value: Tensor, x: Tensor, of: str = "x") -> None:
    """Raise unless `value` has the batch size and the device of `x`, an argument called `of`."""
    check_same_batch(name, value, x, of)
    check_same_device(name, value, x, of)


def check_same_channels(name: str, value: Tensor, x: Tensor, of: str = "x") -> None:
    """Raise unless `value` has the channels of `x`, an argument called `of`."""
    if value.shape[1] != x.shape[1]:
        raise ValueError(
            f"`{name}` channels (={value.shape[1]}) must equal those of `{of}` (={x.shape[1]})"
        )


def check_same_size(name: str, value: Tensor, x: Tensor, of: str = "x") -> None:
    """Raise unless `value` has the height and width of `x`, an argument called `of`."""
    if value.shape[-2:] != x.shape[-2:]:
        raise ValueError(
            f"`{name}` size (={tuple(value.shape[-2:])}) must equal that of `{of}`"
            f" (={tuple(x.shape[-2:])})"
        )


def check_size(size: Any) -> tuple[int, int]:
    """Return a target size (height, width); a single integer stands for both."""
    if is_int(size):
        size = (size, size)
    if not isinstance(size, (tuple, list)):
        raise TypeError(f"`size` (={size!r}) must be an integer or (height, width)")
    if len(size) != 2:
        raise ValueError(f"`size` (={size!r}) must have 2 entries (height, width)")
    return check_positive_int("size[0]", size[0]), check_positive_int("size[1]", size[1])


def one_line(error: BaseException) -> str:
    """Return an error's message, or its type if there is none, as one line of limited length."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else f"{text[:300]}..."
