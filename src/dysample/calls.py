"""Record the inputs and outputs of the upsamplers in a model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from dysample.modes import evaluated
from dysample.nn import Upsampler
from dysample.nn.base import Inspection


@dataclass(frozen=True)
class Call:
    """One call of an upsampler.

    Attributes:
        site: the upsampler's path in the model; empty for the model itself.
        upsampler: the module.
        x: features (B, C, H, W).
        guide: (B, any, H', W') of guided upsamplers, else None.
        out: (B, C', H', W').
        autocast: the dtype of autocast during the call; None without autocast.
    """

    site: str
    upsampler: Upsampler
    x: Tensor
    guide: Tensor | None
    out: Tensor
    autocast: torch.dtype | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the output."""
        return self.out.shape[2], self.out.shape[3]

    @property
    def low(self) -> tuple[int, int]:
        """Height and width of the features."""
        return self.x.shape[2], self.x.shape[3]

    def cast(self) -> AbstractContextManager[Any]:
        """The autocast of the call, to run the upsampler once more."""
        if self.autocast is None:
            return nullcontext()
        # Weights that are cast without gradients must not be those of the next pass.
        return torch.autocast(self.x.device.type, self.autocast, cache_enabled=False)

    def inspect(self) -> Inspection:
        """What the upsampler reads in this call, in eval mode without gradients."""
        with evaluated(self.upsampler), self.cast():
            return self.upsampler.inspect(self.x, self.guide, self.size)


def record_calls(model: nn.Module, run: Callable[[], Any]) -> tuple[list[Call], Any]:
    """Return the calls of a model's upsamplers during `run`, in order, and the result of `run`."""
    calls: list[Call] = []
    with keep_calls(model, lambda call: calls.append(_copied(call))):
        returned = run()
    return calls, returned


@contextmanager
def keep_calls(model: nn.Module, keep: Callable[[Call], Any]) -> Iterator[None]:
    """Give each call of a model's upsamplers to `keep`, right after it.

    What is compiled runs eagerly meanwhile: compiled graphs know nothing of later hooks.
    The model may change the tensors of a call in place afterwards.
    """

    def hook(site: str) -> Callable[..., None]:
        def called(up: Upsampler, args: Any, options: dict[str, Any], out: Tensor) -> None:
            given = dict(zip(("x", "guide"), args)) | options
            x, guide = given["x"], given.get("guide") if up.guided else None
            kept = None if guide is None else guide.detach()
            keep(Call(site, up, x.detach(), kept, out.detach(), _autocast(x.device.type)))

        return called

    handles = [
        module.register_forward_hook(hook(site), with_kwargs=True)
        for site, module in model.named_modules()
        if isinstance(module, Upsampler)
    ]
    try:
        with torch.compiler.set_stance("force_eager"):
            yield
    finally:
        for handle in handles:
            handle.remove()


def _copied(call: Call) -> Call:
    guide = None if call.guide is None else call.guide.clone()
    return replace(call, x=call.x.clone(), guide=guide, out=call.out.clone())


def _autocast(device: str) -> torch.dtype | None:
    if not torch.amp.is_autocast_available(device) or not torch.is_autocast_enabled(device):
        return None
    return torch.get_autocast_dtype(device)
