"""Replace the `F.interpolate` calls of a module's forward with upsamplers.

The module's class is replaced by a subclass that runs the same forward under a torch function mode:
it passes the replaced calls, identified by their place in the code, to the upsamplers, which are
submodules of the module, and leaves all others alone. The forward is neither copied nor rewritten,
parameters keep their names, and `isinstance` still holds. The mode is also seen by `torch.compile`
and `torch.export`.
"""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Any, NamedTuple, cast

import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from dysample.geometry import scaled_length
from dysample.surgery.places import Occurrences, line_of, mode_of, place
from dysample.surgery.running import named

UPSAMPLERS = "upsamplers"
"""Name of the upsamplers among a module's submodules."""

_CALLS = "_upsampler_calls"
"""Attribute of a module whose calls were replaced: its `Calls`."""


class Calls(NamedTuple):
    """The calls of a module that are replaced.

    Args:
        upsamplers: path of the upsampler below the module, by place of the call.
        times: how often a run meets each place, by the place without its occurrence.
    """

    upsamplers: dict[str, str]
    times: dict[str, int]


class _Running(threading.local):
    """The innermost run of a rerouted forward; it owns a call, although outer ones see it too."""

    run: _Reroute | None = None


_running = _Running()


class _Reroute(TorchFunctionMode):
    """Pass the calls of one run of a forward to the upsamplers."""

    def __init__(self, owner: nn.Module) -> None:
        super().__init__()
        self.owner = owner
        self.occurrences = Occurrences()

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
        if error is None:
            self._check_times()

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is not F.interpolate or _running.run is not self:
            return func(*args, **kwargs)
        calls: Calls = getattr(self.owner, _CALLS)
        path = calls.upsamplers.get(self.occurrences.name(place(), mode_of(*args, **kwargs)))
        if path is None:
            return func(*args, **kwargs)
        up = self.owner.get_submodule(path)
        return _upsample(up, path, type(self.owner), *args, **kwargs)

    def _check_times(self) -> None:
        """Refuse runs that reach a line more or less often than the example did.

        Calls of one line are told apart only by order, so an upsampler may have got the wrong one.
        """
        calls: Calls = getattr(self.owner, _CALLS)
        for at, times in calls.times.items():
            met = self.occurrences.met.get(at, 0)
            if met not in (0, times):
                raise ValueError(
                    f"F.interpolate at {line_of(at)} must run {times} times in a run of"
                    f" {type(self.owner).__name__} (={met}), as on the example on which it was"
                    " replaced: which call is which cannot be told"
                )


def _upsample(
    up: Any,
    path: str,
    host: type,
    input: Tensor,
    size: Any = None,
    scale_factor: Any = None,
    *_: Any,
    **__: Any,
) -> Tensor:
    """Call an upsampler as `F.interpolate` was called."""
    if up._reads_of_x() not in (None, input.shape[1]):
        raise ValueError(
            f"call {path.rpartition('.')[2]} of F.interpolate in {host.__name__} must be on"
            f" {up.in_channels} channels (={input.shape[1]}): the example on which it was replaced"
            " took another path"
        )
    if size is None:
        size = tuple(map(scaled_length, input.shape[2:], as_factors(scale_factor, 2)))
    result: Tensor = up(input, size=size if isinstance(size, int) else tuple(size))
    return result


def as_factors(scale_factor: Any, axes: int) -> tuple[float, ...]:
    """Return the factor of each axis, as an integer if possible; nothing if there is none."""
    if scale_factor is None:
        return ()
    if not isinstance(scale_factor, (tuple, list)):
        scale_factor = [scale_factor] * axes
    return tuple(int(f) if float(f).is_integer() else float(f) for f in scale_factor)


@functools.cache
def _rerouted(host: type[nn.Module]) -> type[nn.Module]:
    """Make a subclass of the same name, because transformers writes the name to configs."""

    @functools.wraps(host.forward)
    def forward(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        with _Reroute(self):
            return host.forward(self, *args, **kwargs)

    def reduce(self: nn.Module, protocol: Any) -> Any:
        return _rebuild, (host, _code(host)), *object.__reduce_ex__(self, protocol)[2:]

    members = {
        "forward": forward,
        "__reduce_ex__": reduce,  # pickle cannot import the class by name
        "__module__": host.__module__,
        "__qualname__": host.__qualname__,
        "_rerouted": True,
    }
    return cast(type[nn.Module], type(host.__name__, (host,), members))


def _rebuild(host: type[nn.Module], code: tuple[Any, ...]) -> nn.Module:
    if code != _code(host):
        raise ValueError(
            f"`{host.__module__}.{host.__qualname__}` must have the code that it had when its calls"
            " were replaced: another release has other lines; replace them again and load the"
            " state_dict"
        )
    kind = _rerouted(host)  # type: ignore[arg-type]
    return kind.__new__(kind)


def _code(host: type[nn.Module]) -> tuple[Any, ...]:
    """Return the forward's first line and names, because calls are identified by lines."""
    code = getattr(inspect.unwrap(host.forward), "__code__", None)
    return () if code is None else (code.co_firstlineno, code.co_names)


def is_rerouted(module: nn.Module) -> bool:
    """Whether calls of this module were replaced."""
    return hasattr(type(module), "_rerouted") and hasattr(module, _CALLS)


def why_not_reroute(owner: nn.Module) -> str | None:
    """Why the calls of a module cannot be replaced; None if they can."""
    try:
        _rerouted(type(owner))  # type: ignore[arg-type]
    except Exception as error:  # whatever its __init_subclass__ or metaclass raises
        return f"{type(owner).__name__} takes no subclass: {named(error)}"
    return None


def reroute(owner: nn.Module, upsamplers: Mapping[int, nn.Module], calls: Calls) -> None:
    """Replace calls of `F.interpolate` in the forward of a module, in place.

    Args:
        owner: the module.
        upsamplers: by number, which names them below the module; the module may also hand calls to
            upsamplers of modules below it, and have none itself.
        calls: which upsampler takes which call.
    """
    if upsamplers:
        modules = {str(number): up for number, up in upsamplers.items()}
        owner.add_module(UPSAMPLERS, nn.ModuleDict(modules))
    vars(owner)[_CALLS] = calls  # its class may allow certain attributes only
    object.__setattr__(owner, "__class__", _rerouted(type(owner)))  # type: ignore[arg-type]
