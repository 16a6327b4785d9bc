"""Watch one run of a model: every resize, its caller, and the layers before and after it.

A feature map is told from an image, a position table and logits by what happens to it: features
come out of a learned layer and go into another one. A learned layer is any operation on a weight
of two or more axes: convolutions, linear layers and attention are, normalisations are not.
"""

from __future__ import annotations

import copy
import functools
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakIdKeyDictionary

from dysample.nn import Upsampler
from dysample.surgery.places import Occurrences, method_owner, mode_of, place
from dysample.surgery.reroute import as_factors
from dysample.surgery.running import named, run_model
from dysample.surgery.steps import Flow, Kind, Step

POOLS = (F.adaptive_avg_pool2d, F.adaptive_max_pool2d)


def watch(model: nn.Module, example_inputs: Any, *, training: bool = False) -> list[Step]:
    """Return the resizes of a model in the order in which they happen.

    A copy of the model runs, so that what a run leaves behind (statistics, caches) is not left in
    the model.

    Args:
        model: any module that can be copied.
        example_inputs: as `dysample.surgery.find_sites` takes them.
        training: run in training mode and with gradients, in place of eval mode.

    Raises:
        ValueError: if the model cannot be copied, or does not run.
    """
    steps = _Watch().run(model, example_inputs, training)
    shared = _several_steps(steps)
    if shared:
        # Their steps differ only by the caller: watch again, looking through them.
        steps = _Watch(shared).run(model, example_inputs, training)
    return steps


def _several_steps(steps: list[Step]) -> set[str]:
    """Return upsampling modules that serve several steps, which one upsampler cannot replace."""
    uses = Counter((step.owner, step.caller_run) for step in steps if step.kind == "module")
    channels: dict[str, set[int]] = {}
    for step in steps:
        if step.kind == "module":
            channels.setdefault(step.owner, set()).add(step.channels)
    twice = {owner for (owner, _), count in uses.items() if count > 1}
    return twice | {owner for owner, found in channels.items() if len(found) > 1}


@dataclass
class _Run:
    """A running forward of a module."""

    path: str
    module: nn.Module
    number: int
    occurrences: Occurrences


class _Watch:
    """Record the resizes of one run of a model.

    Args:
        transparent: paths of upsampling modules whose resize counts as a call of the module that
            calls them.
    """

    def __init__(self, transparent: Collection[str] = ()) -> None:
        self.transparent = transparent
        self.steps: list[Step] = []
        self._runs: list[_Run] = []
        self._numbers = 0
        self._paths: dict[int, str] = {}
        # Not stored as attributes of the tensors, because a model may keep and pickle those.
        self._flows: MutableMapping[Tensor, Flow] = WeakIdKeyDictionary()

    def run(self, model: nn.Module, example_inputs: Any, training: bool) -> list[Step]:
        """Run a copy of the model."""
        copied = copy_model(model)
        for path, module in copied.named_modules():
            self._paths[id(module)] = path
            own = vars(module).get("forward")
            # Not where it is set on the instance: what resizes there is seen from outside, as the
            # subclass of `reroute` sees it. The whole model has nobody outside.
            if path in self.transparent or (own is not None and module is not copied):
                continue
            forward = module.forward  # of its class, of the instance, or TorchScript's
            watched = functools.partial(self._forward, path, module, forward)
            module.__dict__["forward"] = watched
        # Hooks of the whole model, and a __call__ of its own, are outside of its forward.
        self._runs.append(_Run("", copied, 0, Occurrences()))
        with _Mode(self):
            run_model(copied, example_inputs, training=training)
        return self.steps

    def _forward(
        self, path: str, module: nn.Module, forward: Any, /, *args: Any, **kwargs: Any
    ) -> Any:
        self._numbers += 1
        self._runs.append(_Run(path, module, self._numbers, Occurrences()))
        try:
            output = forward(*args, **kwargs)
        finally:
            self._runs.pop()
        # What operations hide that the mode does not see: all those of TorchScript, and others.
        scripted = isinstance(module, torch.jit.ScriptModule)
        unseen = [x for x in tensors_of(output) if scripted or x not in self._flows]
        if unseen:
            weights = module.parameters(recurse=scripted)  # plain tensors in TorchScript
            parameters = (nn.Parameter(weight, requires_grad=False) for weight in weights)
            self.mark(unseen, self.combined([*tensors_of((args, kwargs)), *parameters]))
        return output

    def resized(self, x: Tensor, result: Tensor, options: dict[str, Any]) -> Step:
        """Note a call of `F.interpolate`."""
        run = self._runs[-1]
        mode, corners = mode_of(x, **options), bool(options["align_corners"])
        factor = options["scale_factor"]
        if is_scaling(run.module):
            return self._note("module", None, x, result, mode, factor, corners)
        at = run.occurrences.name(place(), mode)
        return self._note("call", at, x, result, mode, factor, corners)

    def convolved(self, x: Tensor, result: Tensor) -> None:
        """Note a transposed convolution, if it is a module's and enlarges the map."""
        deconv = self._runs[-1].module
        if isinstance(deconv, nn.ConvTranspose2d) and max(deconv.stride) > 1:
            kernel = "x".join(map(str, deconv.kernel_size))
            self._note("deconv", None, x, result, f"deconv {kernel}", deconv.stride, False)

    def shuffled(self, x: Tensor, result: Tensor) -> None:
        """Note a pixel shuffle, unless it is part of one of our upsamplers."""
        if x.dim() == 4 and not any(isinstance(run.module, Upsampler) for run in self._runs):
            self._note("shuffle", None, x, result, "pixel shuffle", None, False)

    def _note(
        self,
        kind: Kind,
        at: str | None,
        x: Tensor,
        result: Tensor,
        mode: str,
        scale_factor: Any,
        corners: bool,
    ) -> Step:
        callers = self._runs if at is not None else self._runs[:-1]
        from_size, to_size = tuple(x.shape[2:]), tuple(result.shape[2:])
        factors = as_factors(scale_factor, len(from_size))
        step = Step(
            owner=self._runs[-1].path,
            place=at,
            method_of=None if at is None else self._paths.get(id(method_owner())),
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
            autocast=torch.amp.is_autocast_available(x.device.type)  # not on meta
            and torch.is_autocast_enabled(x.device.type),
            flow=self._flow(x),
            inside_upsampler=any(isinstance(run.module, Upsampler) for run in self._runs),
        )
        self.steps.append(step)
        return step

    def _flow(self, x: Tensor) -> Flow:
        if isinstance(x, nn.Parameter):
            return Flow(table=True)
        return self._flows[x] if x in self._flows else Flow()

    def mark(self, result: Any, flow: Flow) -> None:
        """Note where the tensors of a result come from."""
        for x in tensors_of(result):
            # A boolean mask or an index carries no features.
            if x.is_floating_point() and not isinstance(x, nn.Parameter):
                self._flows[x] = flow

    def combined(self, given: Iterable[Tensor]) -> Flow:
        """Return the flow of an operation's result, by its inputs of two or more axes."""
        flows = [self._flow(x) for x in given if x.ndim > 1 and x.is_floating_point()]
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


class _Mode(TorchFunctionMode):
    """Sees every operation on tensors, and notes the flow of each result."""

    def __init__(self, watch: _Watch) -> None:
        super().__init__()
        self.watch = watch

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        given = list(tensors_of((args, kwargs)))
        result = func(*args, **kwargs)
        flow = self.watch.combined(given)
        if func is F.interpolate:
            step = self.watch.resized(args[0], result, kwargs)
            flow = Flow(flow.learned, flow.table, flow.pooled, flow.steps | {step})
        elif func in POOLS:
            flow = Flow(flow.learned, flow.table, True, flow.steps)
        elif func is F.conv_transpose2d:
            self.watch.convolved(given[0], result)
        elif func is F.pixel_shuffle:
            self.watch.shuffled(given[0], result)
        self.watch.mark(args[0] if func is Tensor.__setitem__ else result, flow)
        return result


def copy_model(model: nn.Module) -> nn.Module:
    """A deep copy.

    Raises:
        ValueError: if the model cannot be copied.
    """
    try:
        return copy.deepcopy(model)
    except Exception as error:  # its parts can raise anything
        raise ValueError(
            f"`model` ({type(model).__name__}) must be one that copy.deepcopy copies, since surgery"
            f" works on copies: {named(error)}"
        ) from error


def is_scaling(module: nn.Module) -> bool:
    """Whether a module is `nn.Upsample`, or one of its kin, with one factor for both axes."""
    return (
        isinstance(module, nn.Upsample)
        and type(module).forward is nn.Upsample.forward
        and module.size is None
        and one_factor(module.scale_factor) is not None
    )


def one_factor(scale_factor: Any) -> float | None:
    """Return the factor of all axes; None if they differ or there is none."""
    factors = set(as_factors(scale_factor, 1))
    return factors.pop() if len(factors) == 1 else None


def tensors_of(value: Any) -> Iterator[Tensor]:
    """Yield all tensors in nested containers, dataclasses and transformers' outputs included."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from tensors_of(item)
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from tensors_of(item)
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from tensors_of(getattr(value, field.name))
