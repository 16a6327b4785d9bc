"""What an upsampler does everywhere: offset fields, gates and index maps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dysample.calls import Call
from dysample.geometry import bilinear_positions

SHOWN_GROUPS = 8


@dataclass(frozen=True)
class Field:
    """A map of the output's size.

    Attributes:
        title: heading of the panel.
        values: offsets (2, H', W'), x then y in low-res pixels, or numbers (H', W').
        limits: ends of the colour scale, for numbers.
    """

    title: str
    values: NDArray[np.float64]
    limits: tuple[float, float] = (0, 1)


@torch.no_grad()
def fields_of(call: Call) -> list[Field]:
    """Return the fields of a call: offsets by group, or the kernels' centre of mass and width.

    Empty for upsamplers that have neither points nor kernels.
    """
    seen = call.inspect()
    found = []
    if seen.positions is not None:
        regular, weights = bilinear_positions(call.size, call.low), seen.weights
        what = "offset" if weights is None else "mean of the points"
        mean = (
            seen.positions.sum(2)
            if weights is None
            else (seen.positions * weights.unsqueeze(3)).sum(2)
        )
        found += _by_group(what, mean[0].double() - regular)
    if seen.kernels is not None:
        found += _of_kernels(seen.kernels[0].double().mean(0), call)
    if seen.gate is not None:
        found.append(Field("gate: share of the guide", seen.gate[0, 0].double().numpy()))
    return found


def _by_group(what: str, offsets: Tensor) -> list[Field]:
    """Return one field for each group of offsets (G, 2, H', W')."""
    names = [f"{what}, group {number}" for number in range(1, len(offsets) + 1)]
    if len(names) == 1:
        return [Field(what, offsets[0].numpy())]
    return [Field(name, one.numpy()) for name, one in zip(names, offsets)][:SHOWN_GROUPS]


def _of_kernels(weight: Tensor, call: Call) -> list[Field]:
    """Return the fields of kernels (k*k, H', W'), the mean over their groups."""
    taps = len(weight)
    if taps == 1:
        return [Field("index map", weight[0].numpy())]
    r = (round(taps**0.5) - 1) // 2
    dy, dx = torch.meshgrid(torch.arange(-r, r + 1), torch.arange(-r, r + 1), indexing="ij")
    steps = torch.stack((dx, dy)).reshape(2, taps).double()
    start = torch.stack(_owners(call)).double()
    mean = torch.einsum("dt,tyx->dyx", steps, weight) + start * weight.sum(0)
    entropy = -(weight * weight.clamp(min=1e-12).log()).sum(0)
    moved = mean - bilinear_positions(call.size, call.low)
    counted = entropy.exp().numpy()
    most = max(2, int(np.ceil(np.quantile(counted, 0.99))))
    return [
        Field("centre of mass of the kernel", moved.numpy()),
        Field("neighbours that count", counted, (1, most)),
    ]


def _owners(call: Call) -> tuple[Tensor, Tensor]:
    """Return column and row of each output pixel's low-res pixel, (H', W') each."""
    regular = bilinear_positions(call.size, call.low)
    x, y = (regular + 0.5).floor()
    return x, y
