"""Inspect a layer: whether it computes just what its weights say, and its channels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor
from torch.nn.modules import module as of_all

from dysample.nn.pointwise import PixelLinear

_OWN = frozenset(("forward", "_conv_forward", "_call_impl", "_slow_forward", "_compiled_call_impl"))
"""Methods that a call of a layer runs; programs may replace them on a layer or on its class."""


def is_plain(layer: nn.Module) -> bool:
    """Whether a 1x1 layer computes just its weight and bias, with no observer of the call.

    False if the layer was replaced (quantised, adapted), if hooks or its own `forward` observe the
    call or fetch the weights (offloaded), or if the weights are a tensor subclass.
    """
    if not isinstance(layer, (nn.Conv2d, PixelLinear)) or not is_untouched(layer):
        return False
    weight, bias = layer.weight, layer.bias
    if type(layer) is nn.Conv2d:
        form = (layer.stride, layer.padding, layer.dilation, layer.groups, weight.shape[2:])
        if form != ((1, 1), (0, 0), (1, 1), 1, (1, 1)) or not _is_torchs_own():
            return False
    elif type(layer) is not PixelLinear:
        return False
    return _are_numbers(weight) and (bias is None or _are_numbers(bias))


def is_untouched(layer: nn.Module) -> bool:
    """Whether a call of the layer only runs its class's `forward`, without any hook."""
    return _OWN.isdisjoint(layer.__dict__) and not (
        layer._forward_hooks
        or layer._forward_pre_hooks
        or layer._backward_hooks
        or layer._backward_pre_hooks
        or _listen(of_all._global_forward_hooks)
        or _listen(of_all._global_forward_pre_hooks)
        or _listen(of_all._global_backward_hooks)
        or _listen(of_all._global_backward_pre_hooks)
    )


def _listen(to_all: Mapping[int, Any]) -> bool:
    """Whether global hooks look at more than names; torch's counters look at names only."""
    return any(
        getattr(hook, "__module__", None) != "torch.utils.module_tracker"
        for hook in to_all.values()
    )


def _of_the_class() -> tuple[object, ...]:
    conv = nn.Conv2d
    return conv.forward, conv._conv_forward, conv._call_impl, conv._slow_forward, conv.__call__


_TORCHS = _of_the_class()


def _is_torchs_own() -> bool:
    """Whether the class is torch's own. Exporters replace `__call__`, but only observe."""
    now = _of_the_class()
    return now == _TORCHS or (torch.compiler.is_compiling() and now[:-1] == _TORCHS[:-1])


def _are_numbers(value: Tensor) -> bool:
    """Whether a tensor is not of a subclass that gives its numbers another meaning."""
    kinds = (nn.Parameter, Tensor, FakeTensor)
    return type(value) in kinds and value.layout == torch.strided and not value.is_quantized


def without_weights(module: nn.Module) -> str | None:
    """Return the name of a weight on the meta device that nothing fetches before use, or None.

    torch itself would compute with uninitialised memory.
    """
    for name, weight in (*module._parameters.items(), *module._buffers.items()):
        if weight is not None and weight.is_meta:
            return name
    for name, child in module._modules.items():
        if child is None:
            continue
        below = without_weights(child)
        # Hooks, another `forward` and foreign classes may fetch the weights of all their
        # submodules.
        if below is not None and is_untouched(child) and _is_ours_or_of_torch(child):
            return f"{name}.{below}"
    return None


def _is_ours_or_of_torch(module: nn.Module) -> bool:
    return type(module).__module__.startswith(("torch.nn.modules.", "dysample.nn."))


def channels_read(layer: nn.Module | None) -> int | None:
    """Return the channels that a layer's weight reads; None if that cannot be told."""
    weight = _weight_of(layer)
    return None if weight is None else weight.shape[1] * getattr(layer, "groups", 1)


def channels_made(layer: nn.Module | None) -> int | None:
    """Return the channels that a layer's weight produces; None if that cannot be told."""
    weight = _weight_of(layer)
    return None if weight is None else weight.shape[0]


def _weight_of(layer: nn.Module | None) -> Tensor | None:
    """Return the weight of a convolution or linear layer, if its shape tells the channels.

    Other layers compute their weight on access, pack it or hold a shard of it.
    """
    if not isinstance(layer, (nn.Conv2d, nn.Linear)):
        return None
    weight = layer._parameters.get("weight")
    fits = weight is not None and weight.dim() >= 2 and weight.is_floating_point()
    return weight if fits else None
