"""Diagnose the upsamplers of a model: the size of their offsets, the entropy of their kernels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from dysample.calls import Call, keep_calls
from dysample.geometry import bilinear_positions
from dysample.modes import evaluated
from dysample.nn.base import Inspection

FAR = 1.0
"""Mean offset in low-res pixels beyond which a learning rate is probably too high."""

OUTSIDE = 0.25
"""Share of positions outside of the map beyond which it probably is."""

SHARP = 0.1
"""Entropy of kernels below which it probably is: nearly all weight lies on a single pixel."""


@dataclass(frozen=True)
class Reading:
    """The offsets or kernels of one upsampler in one call; values that do not apply are None.

    Attributes:
        site: the upsampler's path in the model; empty for the model itself.
        upsampler: its class.
        mean_offset: mean distance of the positions from those of bilinear interpolation, in
            low-res pixels.
        max_offset: the largest.
        outside: share of positions outside of the map, where the nearest border pixel is read.
        entropy: of the kernels, over that of equal weights: 1 for a mean over the window, 0 for a
            single pixel.
    """

    site: str
    upsampler: str
    mean_offset: float | None = None
    max_offset: float | None = None
    outside: float | None = None
    entropy: float | None = None

    def __str__(self) -> str:
        """Return one line, with a warning if there is one."""
        parts = []
        if self.mean_offset is not None:
            parts.append(f"offsets {self.mean_offset:.2f} px, at most {self.max_offset:.2f}")
            parts.append(f"{self.outside:.1%} outside")
        if self.entropy is not None:
            parts.append(f"kernel entropy {self.entropy:.2f}")
        text = (
            f"{self.site or 'model'} ({self.upsampler}): {', '.join(parts) or 'predicts nothing'}"
        )
        return f"{text}; {self.warning}" if self.warning else text

    @property
    def warning(self) -> str | None:
        """Why the upsampler's learning rate is probably too high; None without signs of that."""
        values = (self.mean_offset, self.entropy)
        if not all(value is None or math.isfinite(value) for value in values):
            return "what it predicts is not finite"
        reasons = []
        if self.mean_offset is not None and self.mean_offset > FAR:
            reasons.append(f"the mean offset is above {FAR:g} px")
        if self.outside is not None and self.outside > OUTSIDE:
            reasons.append(f"more than {OUTSIDE:.0%} of the positions lie outside of the map")
        if self.entropy is not None and self.entropy < SHARP:
            reasons.append("the kernels weigh a single pixel")
        if not reasons:
            return None
        return f"{' and '.join(reasons)}: try a smaller learning rate for the upsamplers"


@dataclass(frozen=True)
class Diagnosis:
    """The readings of every call of an upsampler, in order; prints one a line."""

    readings: tuple[Reading, ...]

    def __str__(self) -> str:
        """Return one line for each reading."""
        return "\n".join(map(str, self.readings))

    @property
    def warnings(self) -> tuple[str, ...]:
        """The lines of the readings with a warning."""
        return tuple(str(reading) for reading in self.readings if reading.warning)


def diagnose(model: nn.Module, *inputs: Any, **options: Any) -> Diagnosis:
    """Run a model once, in eval mode without gradients, and report what its upsamplers do.

    >>> import torch, dysample
    >>> print(dysample.diagnose(dysample.DySample(8), torch.zeros(1, 8, 4, 4)))
    model (DySample): offsets 0.00 px, at most 0.00, 0.0% outside

    Args:
        model: an upsampler, or any model that contains upsamplers.
        inputs: positional arguments of the call.
        options: keyword arguments of the call.

    Raises:
        TypeError: `model` is no module.
        ValueError: no upsampler of dysample was called.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"`model` must be a module, not {type(model).__name__}")
    readings: list[Reading] = []
    with evaluated(model), keep_calls(model, lambda call: readings.append(read_call(call))):
        model(*inputs, **options)
    if not readings:
        raise ValueError("`model` must call an upsampler of dysample, but called none")
    return Diagnosis(tuple(readings))


def read_call(call: Call) -> Reading:
    """Return the reading of a call; of an empty batch there are no values."""
    values: dict[str, float] = {}
    seen = call.inspect() if len(call.x) else Inspection(call.x)
    if seen.positions is not None:
        values |= _of_positions(seen.positions, call)
    elif seen.kernels is not None and seen.kernels.shape[2] > 1:
        values["entropy"] = _entropy(seen.kernels)
    return Reading(call.site, type(call.upsampler).__name__, **values)


def _of_positions(positions: Tensor, call: Call) -> dict[str, float]:
    """Offsets, and the share outside, of positions (B, G, P, 2, H', W')."""
    regular = bilinear_positions(call.size, call.low).to(positions)
    distance = torch.linalg.vector_norm(positions - regular, dim=3)
    x, y = positions.unbind(3)
    sides = [((at < -0.5) | (at > side - 0.5)) for at, side in ((y, call.low[0]), (x, call.low[1]))]
    return {
        "mean_offset": distance.mean().item(),
        "max_offset": distance.max().item(),
        "outside": (sides[0] | sides[1]).float().mean().item(),
    }


def _entropy(kernels: Tensor) -> float:
    """Mean entropy of kernels (B, G, k^2, H', W') over log k^2."""
    share = kernels.float().abs()
    share = share / share.sum(2, keepdim=True).clamp_min(torch.finfo(share.dtype).tiny)
    mean = torch.special.entr(share).sum(2).mean().item()
    return float(mean / math.log(kernels.shape[2]))
