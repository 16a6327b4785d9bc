"""Two bilinear samplers with the same numbers, for graphs that other runtimes execute.

Both take positions p_x, p_y (N, Y, X) in pixels of a map whose centres lie at integers, and return
a function that samples maps (N, C, H, W) of that size there: (N, C, Y, X). With `border`, positions
are clamped to the border pixels' centres; otherwise a map is 0 outside.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from dysample.fixed import fixed

Read = Callable[[Tensor], Tensor]


class Sampler(Protocol):
    """A sampler, as described in the module docstring."""

    def __call__(self, p_x: Tensor, p_y: Tensor, low: tuple[int, int], *, border: bool) -> Read:
        """Return a function that samples maps of the size `low`, (H, W)."""


def grid_sample(p_x: Tensor, p_y: Tensor, low: tuple[int, int], *, border: bool) -> Read:
    """Sample by torch's operator, GridSample in ONNX, without relying on its padding.

    Positions are clamped to the border pixels' centres, at 1 - 1/W of the grid, so no sample needs
    padding. Runtimes differ in how they pad, and some are wrong.
    """
    H, W = low
    p_x, p_y = _bounded(p_x, W, border), _bounded(p_y, H, border)
    # grid_sample counts from -1 to 1 between the map's outer edges.
    grid = torch.stack(((2 * p_x + 1) / W - 1, (2 * p_y + 1) / H - 1), dim=-1)

    def read(x: Tensor) -> Tensor:
        return F.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=False)

    return read


def gather(p_x: Tensor, p_y: Tensor, low: tuple[int, int], *, border: bool) -> Read:
    """Sample by four gathers of whole pixels, one for each corner."""
    H, W = low
    N = p_x.shape[0]
    first = (torch.arange(N, device=p_x.device) * (H * W)).view(N, 1, 1)
    rows, columns = _corners(p_y, H, border), _corners(p_x, W, border)
    corners = [
        ((first + h * W + w).reshape(-1), (of_y * of_x).reshape(-1, 1))
        for h, of_y in rows
        for w, of_x in columns
    ]

    def read(x: Tensor) -> Tensor:
        C = x.shape[1]
        pixels = x.permute(0, 2, 3, 1).reshape(N * H * W, C)
        total = reduce(torch.add, (pixels.index_select(0, at) * part for at, part in corners))
        return total.reshape(N, *p_x.shape[1:], C).permute(0, 3, 1, 2)

    return read


SAMPLERS: dict[str, Sampler] = {"grid_sample": grid_sample, "gather": gather}


def _bounded(position: Tensor, length: int, border: bool) -> Tensor:
    """Clamp positions to the border pixels' centres, or to one pixel outside, where all is 0."""
    low, high = (0, length - 1) if border else (-1, length)
    if fixed(*position.shape, length):  # runtimes for one size may know Clip alone; NaN stays NaN
        return position.clamp(low, high)
    # Greater is false for NaN, which thus samples the first pixel, or 0 outside.
    return torch.where(position > low, position, float(low)).clamp(max=high)


def _corners(position: Tensor, length: int, border: bool) -> list[tuple[Tensor, Tensor]]:
    """Return the two pixels around each position along an axis, and their weights."""
    position = _bounded(position, length, border)
    low = position.floor()
    part = position - low
    index = low.to(torch.int64)
    corners = []
    for pixel, weight in ((index, 1 - part), (index + 1, part)):
        if not border:
            weight = weight * (pixel >= 0).to(weight.dtype) * (pixel < length).to(weight.dtype)
        corners.append((pixel.clamp(0, length - 1), weight))
    return corners
