"""Record the inputs and outputs of the upsamplers in a model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from dysample.nn import Upsampler


@dataclass(frozen=True)
class Call:
    """One call of an upsampler, of the first image of a batch.

    Attributes:
        site: the upsampler's path in the model; empty for the model itself.
        upsampler: the module.
        x: features (1, C, H, W).
        guide: (1, any, H', W') of guided upsamplers, else None.
        out: (1, C', H', W').
    """

    site: str
    upsampler: Upsampler
    x: Tensor
    guide: Tensor | None
    out: Tensor

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the output."""
        return self.out.shape[2], self.out.shape[3]

    @property
    def low(self) -> tuple[int, int]:
        """Height and width of the features."""
        return self.x.shape[2], self.x.shape[3]


@torch.no_grad()
def record_calls(model: nn.Module, run: Callable[[], Any]) -> tuple[list[Call], Any]:
    """Return the calls of a model's upsamplers during `run`, in order, and the result of `run`."""
    calls: list[Call] = []

    def keep(site: str, up: Upsampler, args: Any, options: dict[str, Any], out: Tensor) -> None:
        guide = args[1] if len(args) > 1 else options.get("guide")
        kept = guide[:1].detach() if up.guided and guide is not None else None
        calls.append(Call(site, up, args[0][:1].detach(), kept, out[:1].detach()))

    def hook(site: str) -> Callable[..., None]:
        return lambda up, args, options, out: keep(site, up, args, options, out)

    handles = [
        module.register_forward_hook(hook(site), with_kwargs=True)
        for site, module in model.named_modules()
        if isinstance(module, Upsampler)
    ]
    try:
        returned = run()
    finally:
        for handle in handles:
            handle.remove()
    return calls, returned


def choose_call(calls: list[Call], site: str | None) -> Call:
    """Return the call at a site; by default the last of those with the largest output.

    Raises:
        ValueError: no upsampler was called, or none at that site; features that are not finite.
    """
    call = _call_at(calls, site)
    if not (call.x.isfinite().all() and call.out.isfinite().all()):
        raise ValueError(
            f"`model` must give finite features, but {call.site or 'its upsampler'} reads or gives"
            " others: nan or infinity"
        )
    return call


def _call_at(calls: list[Call], site: str | None) -> Call:
    if not calls:
        raise ValueError("`model` must call an upsampler of dysample, but called none")
    if site is None:
        largest = max(call.size[0] * call.size[1] for call in calls)
        return [call for call in calls if call.size[0] * call.size[1] == largest][-1]
    for call in calls:
        if call.site == site:
            return call
    known = ", ".join(dict.fromkeys(call.site for call in calls))
    raise ValueError(f"`site` (={site!r}) must be one of {known}")
