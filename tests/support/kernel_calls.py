"""Calls of every kernel, forward and backward, for the tests of threads and processes."""

from __future__ import annotations

import torch
from torch import Tensor

import dysample
from dysample import functional


def results(dtype: torch.dtype = torch.float32, last: bool = False, C: int = 8) -> list[Tensor]:
    """Results and gradients; of the offset field the results, its gradient is torch's own.

    Fewer elements than torch splits among threads of its own at the smallest C, which is for
    children where torch would hang: the kernels split work of any size.
    """
    source = torch.Generator().manual_seed(0)  # torch's own is shared by Python's threads

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=source)

    H, W = C + 7, 13
    high = 2 * H, 2 * W
    x, query = draw(2, C, H, W).to(dtype), draw(2, C, *high).to(dtype)
    if last:
        x, query = (t.contiguous(memory_format=torch.channels_last) for t in (x, query))
    offset, logits, weights = draw(2, 16, H, W), draw(2, 72, H, W), draw(2, 2, 9, H + 5, 20)
    field = torch.ops.dysample.offset_field(
        x, draw(16, C, 1, 1), draw(16), draw(16, C, 1, 1), None, 0.25, True
    )
    tensors = [t.requires_grad_() for t in (x, query, offset, logits, weights)]
    with dysample.backend("cpu"):
        outs = [
            functional.dysample(x, offset, 2),
            functional.carafe(x, logits, 2, kernel=3, groups=2),
            functional.reassemble(x, weights),
            functional.affinity(query, x, 3, groups=2),
        ]
        cotangents = [draw(*value.shape).to(value.dtype) for value in outs]
        gradients = torch.autograd.grad(outs, tensors, cotangents)
    return [t.detach() for t in (*field, *outs, *gradients)]


def same(ours: list[Tensor], expected: list[Tensor]) -> bool:
    """Whether all are equal bit by bit."""
    return len(ours) == len(expected) and all(map(torch.equal, ours, expected))
