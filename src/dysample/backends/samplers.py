"""Two bilinear samplers with the same numbers, for graphs that other runtimes execute.

Both take maps (N, C, H, W) and positions p_x, p_y (N, Y, X) in low-res pixels, whose centres lie
at integers, and return (N, C, Y, X). With `border`, positions are clamped to the border pixels'
centres; otherwise the map is 0 outside.
"""

from __future__ import annotations

from functools import reduce
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor


class Sampler(Protocol):
    """See the module."""

    def __call__(self, x: Tensor, p_x: Tensor, p_y: Tensor, *, border: bool) -> Tensor:
        """(N, C, H, W) to (N, C, Y, X)."""


def grid_sample(x: Tensor, p_x: Tensor, p_y: Tensor, *, border: bool) -> Tensor:
    """By torch's operator, GridSample in ONNX, which never has to know the border itself.

    Clamped to the border pixels' centres, at 1 - 1/W of the grid, no sample looks outside. What
    runtimes do there differs, and some are wrong.
    """
    H, W = x.shape[2:]
    p_x, p_y = _bounded(p_x, W, border), _bounded(p_y, H, border)
    # grid_sample counts from -1 to 1 between the map's outer edges.
    grid = torch.stack(((2 * p_x + 1) / W - 1, (2 * p_y + 1) / H - 1), dim=-1)
    return F.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def gather(x: Tensor, p_x: Tensor, p_y: Tensor, *, border: bool) -> Tensor:
    """By four gathers of whole pixels, one a corner."""
    N, C, H, W = x.shape
    pixels = x.permute(0, 2, 3, 1).reshape(N * H * W, C)
    first = (torch.arange(N, device=x.device) * (H * W)).view(N, 1, 1)
    rows, columns = _corners(p_y, H, border), _corners(p_x, W, border)
    total = reduce(
        torch.add,
        (
            pixels.index_select(0, (first + h * W + w).reshape(-1)) * (of_y * of_x).reshape(-1, 1)
            for h, of_y in rows
            for w, of_x in columns
        ),
    )
    return total.reshape(N, *p_x.shape[1:], C).permute(0, 3, 1, 2)


SAMPLERS: dict[str, Sampler] = {"grid_sample": grid_sample, "gather": gather}


def _bounded(position: Tensor, length: int, border: bool) -> Tensor:
    """Positions on the border's centres or within; else at most a pixel outside, where all is 0."""
    low, high = (0, length - 1) if border else (-1, length)
    # Greater is false for NaN, which thus samples the first pixel, or 0 outside.
    return torch.where(position > low, position, float(low)).clamp(max=high)


def _corners(position: Tensor, length: int, border: bool) -> list[tuple[Tensor, Tensor]]:
    """The two pixels around each position along an axis, and their weights."""
    position = _bounded(position, length, border)
    low = position.floor()
    part = position - low
    index = low.to(torch.int64)
    if border:
        return [(index, 1 - part), ((index + 1).clamp(max=length - 1), part)]
    corners = []
    for pixel, weight in ((index, 1 - part), (index + 1, part)):
        inside = (pixel >= 0) & (pixel < length)
        corners.append((pixel.clamp(0, length - 1), weight * inside.to(weight.dtype)))
    return corners
