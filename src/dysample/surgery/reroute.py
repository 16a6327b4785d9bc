"""Put upsamplers in the place of the `F.interpolate` calls of a module's forward.

The module's class is replaced by a subclass that runs the same forward under a torch function
mode: it hands the numbered calls to the upsamplers, which are submodules of the module, and leaves
all others alone. The forward is neither copied nor rewritten, parameters keep their names, and
`isinstance` still holds. The mode is also seen by `torch.compile` and `torch.export`.
"""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Iterable, Mapping
from types import FunctionType, TracebackType
from typing import Any, cast

import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from dysample.geometry import scaled_length
from dysample.surgery.watch import as_factors, is_scaling

UPSAMPLERS = "upsamplers"
"""Name of the upsamplers among a module's submodules."""


class _Running(threading.local):
    """The innermost run of a rerouted forward: it owns a call, which outer ones see, too."""

    run: _Reroute | None = None


_running = _Running()


class _Reroute(TorchFunctionMode):
    """Hands the calls of one run of a forward to the upsamplers."""

    def __init__(self, owner: nn.Module) -> None:
        super().__init__()
        self.owner = owner
        self.calls = 0

    def __enter__(self) -> _Reroute:
        self.outer = _running.run
        _running.run = self
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _running.run = self.outer
        super().__exit__(kind, error, trace)  # type: ignore[no-untyped-call]

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is not F.interpolate or _running.run is not self:
            return func(*args, **kwargs)
        number = str(self.calls)
        self.calls += 1
        upsamplers: Any = self.owner._modules.get(UPSAMPLERS)
        if upsamplers is None or number not in upsamplers:
            return func(*args, **kwargs)
        return _upsample(upsamplers[number], number, type(self.owner), *args, **kwargs)


def _upsample(
    up: Any,
    number: str,
    host: type,
    x: Tensor,
    *,
    size: Any = None,
    scale_factor: Any = None,
    **_: Any,
) -> Tensor:
    """Call an upsampler as `F.interpolate` was called."""
    if x.shape[1] != up.in_channels:
        raise ValueError(
            f"call {number} of F.interpolate in {host.__name__} must be on {up.in_channels}"
            f" channels (={x.shape[1]}): the example on which it was replaced took another path"
        )
    if size is None:
        size = tuple(map(scaled_length, x.shape[2:], as_factors(scale_factor, 2)))
    result: Tensor = up(x, size=size if isinstance(size, int) else tuple(size))
    return result


@functools.cache
def _rerouted(host: type[nn.Module]) -> type[nn.Module]:
    """The subclass of a host class; of the same name, which transformers writes into configs."""

    @functools.wraps(host.forward)
    def forward(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        with _Reroute(self):
            return host.forward(self, *args, **kwargs)

    def reduce(self: nn.Module, protocol: Any) -> Any:
        return _rebuild, (host,), *object.__reduce_ex__(self, protocol)[2:]

    members = {
        "forward": forward,
        "__reduce_ex__": reduce,  # the class has no address from which pickle could import it
        "__module__": host.__module__,
        "__qualname__": host.__qualname__,
        "_rerouted": True,
    }
    return cast(type[nn.Module], type(host.__name__, (host,), members))


def _rebuild(host: type[nn.Module]) -> nn.Module:
    kind = _rerouted(host)  # type: ignore[arg-type]
    return kind.__new__(kind)


def is_rerouted(module: nn.Module) -> bool:
    """Whether calls of this module were replaced."""
    return hasattr(type(module), "_rerouted") and hasattr(module, UPSAMPLERS)


def reroute(
    upsamplers: Mapping[nn.Module, Mapping[int, nn.Module]],
    callers: Iterable[nn.Module] = (),
) -> None:
    """Replace calls of `F.interpolate` in the forwards of modules, in place.

    Args:
        upsamplers: by owner, and by number of the call, from 0 in each run of the forward.
        callers: modules known to call `F.interpolate`, beyond those whose code shows it.
    """
    known = set(callers)
    for owner, by_number in upsamplers.items():
        setattr(owner, UPSAMPLERS, nn.ModuleDict({str(k): up for k, up in by_number.items()}))
        for module in owner.modules():
            # Calls of the modules below would be counted as the owner's: each has its own count.
            if module is owner or module in known or _may_interpolate(module):
                _take_over(module)


def _take_over(module: nn.Module) -> None:
    if not hasattr(type(module), "_rerouted"):
        module.__class__ = _rerouted(type(module))  # type: ignore[arg-type]


def _may_interpolate(module: nn.Module) -> bool:
    """Whether its code calls `interpolate`, in a run that goes another way than the example.

    Not of `nn.Upsample`: those that are steps of their own are known from the example, and the
    calls of the others count as their owner's.
    """
    return not is_scaling(module) and _names_interpolate(type(module))  # type: ignore[arg-type]


@functools.cache
def _names_interpolate(kind: type) -> bool:
    for ancestor in kind.__mro__:
        for member in vars(ancestor).values():
            function = inspect.unwrap(member) if callable(member) else member
            if isinstance(function, FunctionType) and "interpolate" in function.__code__.co_names:
                return True
    return False
