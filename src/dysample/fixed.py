"""Operations for graphs of one fixed size: copies, slices and convolutions.

Exporters use them for runtimes that plan for one size, such as ncnn. These have no gather by a
vector of indices, and fewer operators than others.
"""

from __future__ import annotations

from bisect import bisect_right

import torch
import torch.nn.functional as F
from torch import Tensor


def is_exporting() -> bool:
    """Whether `torch.export` traces; torch itself says so from 2.7 on."""
    return torch.compiler.is_compiling() and not torch.compiler.is_dynamo_compiling()


def fixed(*lengths: int) -> bool:
    """Whether an exporter traces for these lengths alone; its graph may then depend on them."""
    return is_exporting() and all(isinstance(length, int) for length in lengths)


def channel_sum(x: Tensor) -> Tensor:
    """Sum over the channels of (B, C, H, W): (B, 1, H, W)."""
    if fixed(*x.shape):
        # pnnx (20261020) loses the axes of ONNX's sums, and the file is silently wrong.
        return F.conv2d(x, torch.ones(1, x.shape[1], 1, 1, dtype=x.dtype, device=x.device))
    return x.sum(1, keepdim=True)


def ratios(size: tuple[int, int], low: tuple[int, int]) -> tuple[int, int]:
    """Return the most rows and columns of output pixels that a low-res pixel owns.

    Every low-res pixel of an axis owns n or n - 1. With n slots for each of them, reads of the
    nearest pixel are copies and slices.
    """
    return -(-size[0] // low[0]), -(-size[1] // low[1])


def spread(x: Tensor, slots: tuple[int, int]) -> Tensor:
    """Copy each pixel of (B, C, H, W) to its n x m slots: (B, C, n H, m W)."""
    if slots == (1, 1):
        return x
    return F.interpolate(x, (slots[0] * x.shape[2], slots[1] * x.shape[3]), mode="nearest")


def cut(x: Tensor, axis: int, start: int, end: int) -> Tensor:
    """Return the rows (axis -2) or columns (axis -1) from `start` to before `end`."""
    if fixed(end, x.shape[axis]) and (start, end) == (0, x.shape[axis]):
        return x  # a slice of all would be an alias, which coremltools does not know
    return x[..., start:end, :] if axis == -2 else x[..., start:end]


def to_slots(x: Tensor, low: tuple[int, int]) -> Tensor:
    """Put output pixels (..., H', W') into the slots of a low-res size; free ones get a copy.

    Where sizes vary there are no slots: pixels stay where they are, here and in `from_slots`.
    """
    if not fixed(*low, *x.shape[-2:]):
        return x
    for axis, in_length in zip((-2, -1), low):
        slots = _slots(x.shape[axis], in_length)
        count = -(-x.shape[axis] // in_length) * in_length
        x = _take(x, axis, [max(bisect_right(slots, slot) - 1, 0) for slot in range(count)])
    return x


def from_slots(x: Tensor, low: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """Take the output pixels (..., H', W') from the slots of a low-res size."""
    if not fixed(*low, *size):
        return x
    for axis, in_length, out_length in zip((-2, -1), low, size):
        x = _take(x, axis, _slots(out_length, in_length))
    return x


def _slots(out_length: int, in_length: int) -> list[int]:
    """Return each output pixel's slot along an axis: the first free one of its low-res pixel."""
    ratio, slots = -(-out_length // in_length), [-1]
    for out_index in range(out_length):
        pixel = (2 * out_index + 1) * in_length // (2 * out_length)
        slots.append(max(ratio * pixel, slots[-1] + 1))
    return slots[1:]


def _take(x: Tensor, axis: int, index: list[int]) -> Tensor:
    """Do an `index_select` by slices, one for each run of neighbours."""
    if index == list(range(x.shape[axis])):
        return x
    starts = [i for i in range(len(index)) if i == 0 or index[i] != index[i - 1] + 1]
    ends = [*starts[1:], len(index)]
    runs = [
        cut(x, axis, index[start], index[start] + end - start) for start, end in zip(starts, ends)
    ]
    return runs[0] if len(runs) == 1 else torch.cat(runs, dim=axis)
