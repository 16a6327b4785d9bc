"""Watch one run of a model: every resize, who called it, and whether layers come before and after.

A feature map is told from an image, a position table and logits by what happens to it: features
come out of a learned layer and go into another one. A learned layer is any operation on a weight
of two or more axes: convolutions, linear layers and attention are, normalisations are not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from dysample.nn import Upsampler

POOLS = (F.adaptive_avg_pool2d, F.adaptive_max_pool2d)


@dataclass(eq=False)
class Step:
    """One resize as it happened.

    Args:
        owner: the module that resizes, or in whose forward `F.interpolate` is called.
        call: number of that call in the forward; None where the module itself is the step.
        caller_run: which run of which module the step is part of, as a number.
        kind: as in `Site`.
        channels: C of the map (B, C, ...).
        from_size: its size.
        to_size: size of the result.
        mode: of the interpolation.
        regular: as in `Site`.
        scale_factor: of the code, if it is the same for all axes.
        dtype: of the map.
        device: of the map.
        flow: where the map comes from.
        inside_upsampler: whether it is part of an upsampler of ours.
        read: whether a learned layer reads the result.
    """

    owner: nn.Module
    call: int | None
    caller_run: int
    kind: Literal["module", "call", "deconv"]
    channels: int
    from_size: tuple[int, ...]
    to_size: tuple[int, ...]
    mode: str
    regular: bool
    scale_factor: float | None
    dtype: torch.dtype
    device: torch.device
    flow: Flow
    inside_upsampler: bool
    read: bool = False


@dataclass(frozen=True)
class Flow:
    """Where a tensor comes from.

    Args:
        learned: out of a learned layer.
        table: from parameters alone, such as position embeddings.
        pooled: from maps pooled to a fixed grid alone.
        steps: resizes whose results no learned layer has read yet.
    """

    learned: bool = False
    table: bool = False
    pooled: bool = False
    steps: frozenset[Step] = frozenset()


@dataclass
class _Run:
    """A module's forward that is running."""

    module: nn.Module
    number: int
    calls: int = 0


class Watch:
    """Record the resizes of a model while `run` runs it.

    Args:
        transparent: upsampling modules whose resize counts as a call of the module that calls them.
    """

    def __init__(self, transparent: Iterable[nn.Module] = ()) -> None:
        self.transparent = set(transparent)
        self.steps: list[Step] = []
        self._runs: list[_Run] = []
        self._numbers = 0

    def run(self, model: nn.Module, call: Callable[[], Any]) -> None:
        """Make a call of the model."""
        with ExitStack() as hooks:
            for module in model.modules():
                if module not in self.transparent:
                    hooks.callback(module.register_forward_pre_hook(self._enter).remove)
                    hooks.callback(module.register_forward_hook(self._leave).remove)
            hooks.enter_context(_Mode(self))
            call()

    def _enter(self, module: nn.Module, inputs: Any) -> None:
        self._numbers += 1
        self._runs.append(_Run(module, self._numbers))

    def _leave(self, module: nn.Module, inputs: Any, output: Any) -> None:
        self._runs.pop()
        # What operations hide that the mode does not see, such as autograd functions.
        unseen = [x for x in _tensors(output) if not hasattr(x, "_flow")]
        if unseen:
            _mark(unseen, _combined([*_tensors(inputs), *module.parameters(recurse=False)]))

    def resized(self, x: Tensor, result: Tensor, options: dict[str, Any]) -> Step:
        """Note a call of `F.interpolate`."""
        run = self._runs[-1]
        number, run.calls = run.calls, run.calls + 1
        mode, corners = options["mode"], bool(options["align_corners"])
        if corners:
            mode += ", corners"
        if is_scaling(run.module):
            return self._note("module", None, x, result, mode, options["scale_factor"], corners)
        return self._note("call", number, x, result, mode, options["scale_factor"], corners)

    def convolved(self, x: Tensor, result: Tensor) -> None:
        """Note a transposed convolution, if it is a module's and enlarges the map."""
        deconv = self._runs[-1].module
        if isinstance(deconv, nn.ConvTranspose2d) and max(deconv.stride) > 1:
            kernel = "x".join(map(str, deconv.kernel_size))
            self._note("deconv", None, x, result, f"deconv {kernel}", deconv.stride, False)

    def _note(
        self,
        kind: Literal["module", "call", "deconv"],
        call: int | None,
        x: Tensor,
        result: Tensor,
        mode: str,
        scale_factor: Any,
        corners: bool,
    ) -> Step:
        callers = self._runs if call is not None else self._runs[:-1]
        from_size, to_size = tuple(x.shape[2:]), tuple(result.shape[2:])
        factors = as_factors(scale_factor, len(from_size))
        step = Step(
            owner=self._runs[-1].module,
            call=call,
            caller_run=callers[-1].number if callers else 0,
            kind=kind,
            channels=x.shape[1],
            from_size=from_size,
            to_size=to_size,
            mode=mode,
            regular=not corners
            and all(n * f == to for n, f, to in zip(from_size, factors, to_size)),
            scale_factor=one_factor(scale_factor),
            dtype=x.dtype,
            device=x.device,
            flow=_flow(x),
            inside_upsampler=any(isinstance(run.module, Upsampler) for run in self._runs),
        )
        self.steps.append(step)
        return step


class _Mode(TorchFunctionMode):
    """Sees every operation on tensors, and keeps the flow of each result as its attribute."""

    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self.watch = watch

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        given = list(_tensors((args, kwargs)))
        result = func(*args, **kwargs)
        flow = _combined(given)
        if func is F.interpolate:
            step = self.watch.resized(args[0], result, kwargs)
            flow = Flow(flow.learned, flow.table, flow.pooled, flow.steps | {step})
        elif func in POOLS:
            flow = Flow(flow.learned, flow.table, True, flow.steps)
        elif func is F.conv_transpose2d:
            self.watch.convolved(given[0], result)
        _mark(args[0] if func is Tensor.__setitem__ else result, flow)
        return result


def is_scaling(module: nn.Module) -> bool:
    """Whether a module is `nn.Upsample`, or one of its kin, with one factor for both axes."""
    return (
        isinstance(module, nn.Upsample)
        and type(module).forward is nn.Upsample.forward
        and "forward" not in vars(module)
        and module.size is None
        and one_factor(module.scale_factor) is not None
    )


def as_factors(scale_factor: Any, axes: int) -> tuple[float, ...]:
    """The factor of each axis, whole where it can be; nothing where a call has none."""
    if scale_factor is None:
        return ()
    if not isinstance(scale_factor, (tuple, list)):
        scale_factor = [scale_factor] * axes
    return tuple(int(f) if float(f).is_integer() else float(f) for f in scale_factor)


def one_factor(scale_factor: Any) -> float | None:
    """The factor of all axes; None where they differ or there is none."""
    factors = set(as_factors(scale_factor, 1))
    return factors.pop() if len(factors) == 1 else None


def _tensors(value: Any) -> Iterator[Tensor]:
    """All tensors in nested containers, the outputs of transformers included."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _tensors(item)
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from _tensors(item)


def _flow(x: Tensor) -> Flow:
    if isinstance(x, nn.Parameter):
        return Flow(table=True)
    flow: Flow = getattr(x, "_flow", Flow())
    return flow


def _mark(result: Any, flow: Flow) -> None:
    for x in _tensors(result):
        # A mask of booleans or an index carries no features on.
        if x.is_floating_point() and not isinstance(x, nn.Parameter):
            x._flow = flow  # type: ignore[attr-defined]


def _combined(given: Iterable[Tensor]) -> Flow:
    """Flow of the result of an operation, by its inputs of two or more axes."""
    flows = [_flow(x) for x in given if x.ndim > 1 and x.is_floating_point()]
    moving = [flow for flow in flows if not flow.table]
    if not moving:
        return Flow(table=bool(flows))
    pooled = all(flow.pooled for flow in moving)
    steps = frozenset[Step]().union(*(flow.steps for flow in moving))
    if len(moving) < len(flows):  # there is a weight
        for step in steps:
            step.read = True
        return Flow(learned=True, pooled=pooled)
    return Flow(any(flow.learned for flow in moving), pooled=pooled, steps=steps)
