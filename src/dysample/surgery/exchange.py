"""Put an upsampler in the place of a module, wherever the model refers to it.

The object itself becomes the upsampler: lists, dicts and hooks that refer to the module then refer
to the upsampler, and what others have noted on the module stays noted on it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


def why_not_exchange(old: nn.Module, new: nn.Module) -> str | None:
    """Return why a module cannot become an upsampler; None if it can."""
    ours = vars(new).keys() | {name for kind in _ours(type(new)) for name in vars(kind)}
    parts = new._modules.keys() | new._parameters.keys() | new._buffers.keys()
    for name in _carried(old):
        if name in ours or name in parts:
            return f"its `{name}` would be lost: {type(new).__name__} has one of its own"
    return None


def exchange(old: nn.Module, new: nn.Module) -> None:
    """Turn a module into an upsampler, in place.

    It keeps its hooks, whether it trains, and all attributes, parameters, buffers and submodules
    that its class does not give to every instance.

    Args:
        old: an `nn.Upsample` or an `nn.ConvTranspose2d`.
        new: a new upsampler, not to be used afterwards.
    """
    carried, before = _carried(old), vars(old).copy()
    hooks = {name: value for name, value in before.items() if name in _HOOKS}
    vars(old).clear()
    vars(old).update(vars(new))
    vars(old).update(hooks)
    object.__setattr__(old, "__class__", type(new))
    old.training = before["training"]
    for name, value in carried.items():
        for kind in ("_parameters", "_buffers", "_modules"):
            if name in before[kind]:
                vars(old)[kind][name] = value
                break
        else:
            vars(old)[name] = value
    old._non_persistent_buffers_set |= before["_non_persistent_buffers_set"]


_HOOKS = {name for name in vars(nn.Module()) if "hook" in name}


def _carried(old: nn.Module) -> dict[str, Any]:
    """Return what a module has beyond a plain instance of its class, by name."""
    with torch.device("meta"):  # uses no random numbers
        kind = nn.ConvTranspose2d(1, 1, 1) if isinstance(old, nn.ConvTranspose2d) else nn.Upsample()
    plain = vars(kind).keys() | kind._parameters.keys()
    own = {**vars(old), **old._parameters, **old._buffers, **old._modules}
    return {name: value for name, value in own.items() if name not in plain}


def _ours(kind: type) -> list[type]:
    """Return the classes of an upsampler below `nn.Module`."""
    return [base for base in kind.__mro__ if not issubclass(nn.Module, base)]
