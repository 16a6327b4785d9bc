"""Record the inputs and outputs of the upsamplers in a model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from dysample.nn import Upsampler


@dataclass(frozen=True)
class Call:
    """One call of an upsampler.

    Attributes:
        site: the upsampler's path in the model; empty for the model itself.
        upsampler: the module.
        x: features (B, C, H, W).
        guide: (B, any, H', W') of guided upsamplers, else None.
        out: (B, C', H', W').
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


def record_calls(model: nn.Module, run: Callable[[], Any]) -> tuple[list[Call], Any]:
    """Return the calls of a model's upsamplers during `run`, in order, and the result of `run`."""
    calls: list[Call] = []
    remove = keep_calls(model, calls.append)
    try:
        returned = run()
    finally:
        remove()
    return calls, returned


def keep_calls(model: nn.Module, keep: Callable[[Call], Any]) -> Callable[[], None]:
    """Give each call of a model's upsamplers to `keep`, until the returned function is called."""

    def hook(site: str) -> Callable[..., None]:
        def called(up: Upsampler, args: Any, options: dict[str, Any], out: Tensor) -> None:
            given = dict(zip(("x", "guide"), args)) | options
            guide = given.get("guide") if up.guided else None
            kept = None if guide is None else guide.detach()
            keep(Call(site, up, given["x"].detach(), kept, out.detach()))

        return called

    handles = [
        module.register_forward_hook(hook(site), with_kwargs=True)
        for site, module in model.named_modules()
        if isinstance(module, Upsampler)
    ]

    def remove() -> None:
        for handle in handles:
            handle.remove()

    return remove
