"""Count parameters, multiply-adds and the memory of one forward pass."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from dysample.geometry import scaled_size
from dysample.modes import evaluated
from dysample.nn import Upsampler
from dysample.ops import backend
from dysample.registry import create_upsampler, get_entry

aten = torch.ops.aten


class Macs(NamedTuple):
    """Multiply-adds of a whole model, and the share of its upsamplers."""

    total: int
    upsamplers: int


@dataclass(frozen=True)
class Cost:
    """The cost of one upsampler on one image.

    `macs` is the module's own formula, `counted_macs` the count of `trace_macs`; `peak_bytes`
    includes the output.
    """

    name: str
    guided: bool
    parameters: int
    macs: int
    counted_macs: int
    output_bytes: int
    peak_bytes: int


def _flops(an_element: int) -> Callable[..., int]:
    """Return a FLOP formula: a fixed number for each element of the result."""

    def formula(*arguments: Any, out_shape: Sequence[int], **options: Any) -> int:
        return an_element * prod(out_shape)

    return formula


def _flops_of_product(left: Any, right: Any, *, out_shape: Sequence[int], **options: Any) -> int:
    # A number instead of a shape means that the tensor is rescaled, which no paper counts.
    rescaled = isinstance(left, (int, float)) or isinstance(right, (int, float))
    return 0 if rescaled else 2 * prod(out_shape)


FLOP_FORMULAS: dict[Any, Callable[..., int]] = {
    aten.addcmul: _flops(2),
    aten.addcmul_: _flops(2),
    aten.mul: _flops_of_product,
    aten.mul_: _flops_of_product,
    aten.lerp: _flops(4),
    aten.grid_sampler_2d: _flops(8),
    aten.upsample_bilinear2d: _flops(8),
}
"""FLOPs of what upsamplers do and torch's counter passes over: products of two tensors, the two of
a blend g * a + (1 - g) * b, the four taps of a bilinear sample. A multiply-add counts as two FLOPs,
as everywhere in that counter.

>>> import torch
>>> from torch.utils.flop_counter import FlopCounterMode
>>> from dysample.nn import Bilinear
>>> with FlopCounterMode(display=False, custom_mapping=FLOP_FORMULAS) as counter:
...     out = Bilinear(8)(torch.zeros(1, 8, 4, 4))
>>> counter.get_total_flops() == 2 * 4 * out.numel()
True
"""


def count_parameters(*modules: nn.Module) -> int:
    """Return the total number of parameters of some modules."""
    return sum(parameter.numel() for module in modules for parameter in module.parameters())


def count_macs(model: nn.Module, *inputs: Tensor) -> Macs:
    """Count the multiply-adds of one forward pass, with the upsamplers' own formulas.

    Convolutions and matrix products are counted by torch's flop counter, which does not know what
    sampling and reassembly cost: what it counts inside upsamplers is replaced by their own `macs`
    at the sizes of what goes into them and comes out. Nothing else is counted, interpolation by
    torch neither. The model is run in evaluation mode and left as it was.
    """
    counter = FlopCounterMode(display=False)
    depth = entered = inside = own = 0

    def enter(up: nn.Module, args: tuple[Any, ...]) -> None:
        nonlocal depth, entered
        if depth == 0:
            entered = counter.get_total_flops()
        depth += 1

    def leave(up: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Tensor) -> None:
        nonlocal depth, inside, own
        depth -= 1
        if depth == 0:
            x = args[0] if args else kwargs["x"]
            inside += counter.get_total_flops() - entered
            own += x.shape[0] * up.macs(*x.shape[-2:], size=(output.shape[-2], output.shape[-1]))

    hooks = []
    for up in model.modules():
        if isinstance(up, Upsampler):
            hooks.append(up.register_forward_pre_hook(enter))
            hooks.append(up.register_forward_hook(leave, with_kwargs=True))
    try:
        with evaluated(model), counter:
            model(*inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return Macs((counter.get_total_flops() - inside) // 2 + own, own)


def trace_macs(model: nn.Module, *inputs: Tensor) -> int:
    """Count the multiply-adds that a forward pass executes, by torch's counter and `FLOP_FORMULAS`.

    Counted: convolutions, matrix products, products of two tensors (one an element of the
    result), blends of two tensors (two an element), bilinear samples (four an element). Not
    counted: sums, products with a number, softmax, sigmoid and other functions, normalisation,
    pooling, copies.
    """
    with (
        evaluated(model),
        FlopCounterMode(display=False, custom_mapping=FLOP_FORMULAS) as counter,
    ):
        model(*inputs)
    return int(counter.get_total_flops()) // 2


def peak_memory(model: nn.Module, *inputs: Tensor) -> int:
    """Return the peak bytes of one forward pass beyond parameters and inputs, on the CPU.

    See `allocated_peak`; no gradient is kept.
    """
    with evaluated(model):
        return allocated_peak(lambda: model(*inputs))


def allocated_peak(call: Callable[[], object]) -> int:
    """Return the peak bytes that a call allocates, on the CPU.

    This is the maximum of the running sum of torch's allocations and frees, the result included.
    Buffers that the kernels and the convolution library allocate by themselves are not seen.
    """
    gc.collect()  # what earlier calls left behind would be given back during this one
    # Without `acc_events` torch 2.12 warns that it keeps one cycle's events; there is only one.
    activities = [ProfilerActivity.CPU]
    with profile(activities=activities, profile_memory=True, acc_events=True) as run:
        result = call()  # held, or its end would be part of the sum
    del result
    if run.profiler is None or run.profiler.kineto_results is None:
        raise RuntimeError("torch's profiler recorded nothing: it is built without kineto")
    events = [e for e in run.profiler.kineto_results.events() if e.name() == "[memory]"]
    held = peak = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()
        peak = max(peak, held)
    return peak


def measure_cost(
    name: str,
    in_channels: int = 256,
    height: int = 120,
    width: int = 120,
    scale_factor: float = 2,
    **options: Any,
) -> Cost:
    """Cost of a registered upsampler on one image of (in_channels, height, width), in float32.

    Counted and measured in plain torch, whether the CPU kernels are there or not.

    The defaults are the workload on which the DySample paper compares latencies. A guide has the
    size of the output, and `guide_channels` channels if that is among the options.

    Raises:
        ValueError, TypeError: where the upsampler cannot be built so.
    """
    up = create_upsampler(name, in_channels, scale_factor, **options).eval()
    inputs = [torch.zeros(1, in_channels, height, width)]
    out_height, out_width = scaled_size(height, width, scale_factor)
    if up.guided:
        inputs.append(torch.zeros(1, up.guide_channels or in_channels, out_height, out_width))
    with backend("eager"):  # the same numbers on every machine, with kernels and without
        counted, peak = trace_macs(up, *inputs), peak_memory(up, *inputs)
    return Cost(
        name=name,
        guided=get_entry(name).guided,
        parameters=count_parameters(up),
        macs=up.macs(height, width),
        counted_macs=counted,
        output_bytes=4 * up.out_channels * out_height * out_width,
        peak_bytes=peak,
    )


def measure_costs(
    names: Iterable[str],
    in_channels: int,
    height: int,
    width: int,
    scale_factor: float = 2,
    guide_channels: int | None = None,
) -> tuple[list[Cost], dict[str, str]]:
    """`measure_cost` of those names that can be built so, and why the others cannot.

    `guide_channels` is given to the guided ones alone.
    """
    costs, refused = [], {}
    for name in names:
        options: dict[str, Any] = {}
        if guide_channels is not None and get_entry(name).guided:
            options["guide_channels"] = guide_channels
        try:
            costs.append(measure_cost(name, in_channels, height, width, scale_factor, **options))
        except ValueError as error:
            refused[name] = str(error)
    return costs, refused
