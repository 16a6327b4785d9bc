"""Baselines of the benchmark that the library does not ship, written from their definitions."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dysample.nn import DySample


class GridSample(nn.Module):
    """DySample at a whole scale as published, in torch's operations.

    A 1x1 convolution gives offsets; positions are made from them and normalised to -1..1, all in
    the dtype of x; both are shuffled to high resolution, and `grid_sample` reads the features in
    plain memory format, group by group.

    Args:
        up: its convolutions and its variant are used.
    """

    def __init__(self, up: DySample) -> None:
        super().__init__()
        self.up = up

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C, s H, s W)."""
        x = x.contiguous()
        s, groups = self.up.ceil_scale, self.up.groups
        B, C, H, W = x.shape
        positions = self._offsets(x).view(B, 2, groups * s * s, H, W) + _centres(x)
        extent = torch.tensor([W, H], dtype=x.dtype).view(1, 2, 1, 1, 1)
        grid = (2 * positions / extent - 1).view(B, -1, H, W)
        grid = F.pixel_shuffle(grid, s).view(B, 2, groups, s * H, s * W)
        grid = grid.permute(0, 2, 3, 4, 1).reshape(B * groups, s * H, s * W, 2)
        flat = x.view(B * groups, C // groups, H, W)
        out = F.grid_sample(flat, grid, mode="bilinear", padding_mode="border", align_corners=False)
        return out.view(B, C, s * H, s * W)

    def _offsets(self, x: Tensor) -> Tensor:
        """Return offsets from the low-res pixels' centres, (B, 2 G s^2, H, W), x before y."""
        up = self.up
        source = F.pixel_shuffle(x, up.ceil_scale) if up.style == "pl" else x
        offset: Tensor = up.offset(source)
        if up.dyscope:
            offset = offset * (up.scope(source).sigmoid() * (2 * up.scope_factor))
        else:
            offset = offset * up.scope_factor
        if up.style == "pl":
            offset = F.pixel_unshuffle(offset, up.ceil_scale)
        part = (
            torch.arange(up.ceil_scale, dtype=x.dtype) - (up.ceil_scale - 1) / 2
        ) / up.ceil_scale
        along_y, along_x = torch.meshgrid(part, part, indexing="ij")
        regular = torch.stack((along_x, along_y)).view(2, 1, -1).expand(2, up.groups, -1)
        return offset + regular.reshape(1, -1, 1, 1)


def _centres(x: Tensor) -> Tensor:
    """Return the centres of the low-res pixels (1, 2, 1, H, W), the first at 0.5."""
    H, W = x.shape[-2:]
    rows, columns = (torch.arange(length, dtype=x.dtype) + 0.5 for length in (H, W))
    along_y, along_x = torch.meshgrid(rows, columns, indexing="ij")
    return torch.stack((along_x, along_y)).view(1, 2, 1, H, W)
