"""What one output pixel reads: low-res positions and their weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dysample.geometry import bilinear_positions, nearest_index
from dysample.nn import Upsampler

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Reading:
    """The low-res positions that an output pixel reads, and their weights.

    Attributes:
        places: (N, 2), x then y in low-res pixels whose centres lie at integers.
        weights: (N,).
        group: (N,), the group of channels of each place; None if there are no groups.
        ties: the place (N, 2) that each was moved from, where places are points; None for those
            of a kernel, which are low-res pixels.
        start: what the ties are, in words.
        derivative: the weights are how much the output depends on each place.
    """

    places: Floats
    weights: Floats
    group: NDArray[np.intp] | None = None
    ties: Floats | None = None
    start: str = ""
    derivative: bool = False


def read(
    up: Upsampler, x: Tensor, guide: Tensor | None, size: tuple[int, int], pixel: tuple[int, int]
) -> Reading:
    """Return what output pixel (row, column) of the first image reads.

    Sampling points for DySample and SAPA-D; kernels for upsamplers that reassemble, averaged over
    their groups; for any other upsampler the low-res pixels that its output depends on.

    Args:
        up: upsampler.
        x: features.
        guide: of guided upsamplers.
        size: of the output.
        pixel: row and column in it.
    """
    low = (x.shape[2], x.shape[3])
    with torch.no_grad():
        seen = up.inspect(x, guide, size)
    if seen.positions is not None:
        return _points(seen.positions, seen.weights, size, low, pixel)
    if seen.kernels is not None:
        return _kernel(seen.kernels, size, low, pixel)
    return _influence(up, x, guide, size, pixel)


def owner(size: tuple[int, int], low: tuple[int, int], pixel: tuple[int, int]) -> tuple[int, int]:
    """Return row and column of the low-res pixel that holds an output pixel's centre."""
    rows, columns = (nearest_index(*sides, torch.device("cpu")) for sides in zip(size, low))
    return int(rows[pixel[0]]), int(columns[pixel[1]])


def _points(
    positions: Tensor,
    weights: Tensor | None,
    size: tuple[int, int],
    low: tuple[int, int],
    pixel: tuple[int, int],
) -> Reading:
    """Return sampling points, each with the position that its offset starts from."""
    row, column = pixel
    groups, points = positions.shape[1:3]
    places = positions[0, ..., row, column].double().reshape(-1, 2).numpy()
    if weights is None:
        start, name = bilinear_positions(size, low)[:, row, column].numpy(), "bilinear"
        shares = np.ones(len(places))
    else:
        start, name = np.array(owner(size, low, pixel)[::-1], np.float64), "the low-res pixel"
        shares = weights[0, ..., row, column].double().reshape(-1).numpy()
    group = np.repeat(np.arange(groups), points)
    return Reading(places, shares, group, np.broadcast_to(start, places.shape), name)


def _kernel(
    weight: Tensor, size: tuple[int, int], low: tuple[int, int], pixel: tuple[int, int]
) -> Reading:
    taps = weight[0, :, :, pixel[0], pixel[1]].mean(0).double().numpy()
    row, column = owner(size, low, pixel)
    r = (round(len(taps) ** 0.5) - 1) // 2
    dy, dx = np.mgrid[-r : r + 1, -r : r + 1].reshape(2, -1)
    return Reading(np.stack([column + dx, row + dy], axis=1).astype(np.float64), taps)


def _influence(
    up: Upsampler, x: Tensor, guide: Tensor | None, size: tuple[int, int], pixel: tuple[int, int]
) -> Reading:
    """Return the norm of the derivative by each low-res pixel; fixed interpolation: its weights."""
    with torch.enable_grad():
        free = x.detach().clone().requires_grad_()
        out = up(free, guide, size=size)[0, :, pixel[0], pixel[1]]
        square = torch.zeros(free.shape[2:], dtype=torch.float64)
        for channel in out:
            (gradient,) = torch.autograd.grad(channel, free, retain_graph=True)
            square += gradient[0].double().square().sum(0)
    norm = (square / len(out)).sqrt().numpy()
    rows, columns = np.nonzero(norm > 1e-3 * norm.max())
    places = np.stack([columns, rows], axis=1).astype(np.float64)
    return Reading(places, norm[rows, columns], derivative=True)
