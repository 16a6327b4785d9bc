"""`point_attention` with the samples of `point_sample`'s kernels, on maps padded with zeros."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from dysample.backends import points
from dysample.geometry import nearest_index, pixel_shuffle, read_nearest, regular_position
from dysample.layout import like_input


def point_attention(
    x: Tensor,
    query: Tensor,
    key: Tensor,
    field: Tensor,
    scale: int,
    groups: int,
    *,
    sampler: type[KernelSampler],
) -> tuple[Tensor, Tensor]:
    """See `dysample.ops.point_attention`."""
    offset = read_nearest(pixel_shuffle(field, scale), (query.shape[2], query.shape[3]))
    return points.attention(x, query, key, offset, groups, sampler)


def point_attention_backward(
    high: tuple[Tensor, Tensor],
    inputs: tuple[Tensor, Tensor, Tensor, Tensor],
    weights: Tensor,
    scale: int,
    groups: int,
    wanted: tuple[bool, ...],
    *,
    sampler: type[KernelSampler],
) -> list[Tensor | None]:
    """Return the requested gradients of x, query, key and field."""
    x, query, key, field = inputs
    offset = read_nearest(pixel_shuffle(field, scale), (query.shape[2], query.shape[3]))
    *found, of_offset = points.attention_backward(
        high, (x, query, key, offset), weights, groups, wanted, sampler
    )
    return [*found, None if of_offset is None else _gathered(of_offset, field, scale)]


def _gathered(of_offset: Tensor, field: Tensor, scale: int) -> Tensor:
    """Return the gradient of a field, given the gradient of the values that output pixels read."""
    if field.shape[0] == 0:  # torch's pixel_unshuffle does not reshape an empty batch
        return torch.zeros_like(field)
    out = of_offset
    for axis in (2, 3):
        length, out_length = scale * field.shape[axis], of_offset.shape[axis]
        if length != out_length:
            index = nearest_index(out_length, length, out.device)
            shape = (*out.shape[:axis], length, *out.shape[axis + 1 :])
            out = out.new_zeros(shape).index_add_(axis, index, out)
    return like_input(F.pixel_unshuffle(out, scale), field)


class KernelSampler:
    """Sample maps that are padded with zeros.

    The kernels pad a map with its border pixels. Zeros around the map turn that into zero padding:
    between the last pixel and the zeros they interpolate as `grid_sample` does.

    Attributes:
        point_sample: the kernels' function.
        point_sample_backward: that of its gradients.
    """

    point_sample: Callable[..., Tensor]
    point_sample_backward: Callable[..., tuple[Tensor | None, Tensor | None]]

    def __init__(self, low: Tensor, size: torch.Size) -> None:
        self.size = (size[0], size[1])
        shift_y, shift_x = (self._shift(*axis, low) for axis in zip(low.shape[2:], size))
        self.shift = torch.stack((shift_x.expand(size), shift_y.view(-1, 1).expand(size)))

    def prepared(self, low: Tensor) -> Tensor:
        """Pad the map with zeros."""
        return F.pad(low, (1, 1, 1, 1))

    def sample(self, low: Tensor, offsets: Tensor) -> Tensor:
        """Return samples (n, C, Y, X)."""
        return self.point_sample(low, offsets + self.shift, 1, self.size, False)

    def gradients(
        self, to_sample: Tensor, low: Tensor, offsets: Tensor, wanted: tuple[bool, bool]
    ) -> tuple[Tensor | None, Tensor | None]:
        """Return the requested gradients of the map and the offsets."""
        to_low, to_offsets = self.point_sample_backward(
            to_sample, low, offsets + self.shift, 1, False, wanted
        )
        return None if to_low is None else to_low[..., 1:-1, 1:-1], to_offsets

    @staticmethod
    def _shift(length: int, out_length: int, low: Tensor) -> Tensor:
        """Return the shift from the kernels' position on the padded map to the low-res pixel."""
        pixel, device = nearest_index(out_length, length, low.device), low.device
        own, rest = regular_position(out_length, length + 2, "bilinear", low.dtype, device)
        return (pixel + 1 - own).to(low.dtype) - rest
