"""The primitives with what a test of all of them needs: slow references and inputs in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from dysample import functional
from dysample.backends import reference

Size = tuple[int, int]


def off_the_kinks(offset: Tensor) -> Tensor:
    """Move samples off the pixel centres, where the gradient to the offset jumps."""
    return (offset * 2).round() / 2 + 0.1 + 0.01 * torch.rand_like(offset)


def point_sample_inputs(B: int, E: int, G: int, size: Size, out: Size) -> tuple[Tensor, ...]:
    """Features of E channels a group, and the offset of a point a group."""
    x = torch.randn(B, G * E, *size, dtype=torch.float64)
    return x, torch.randn(B, 2 * G, *out, dtype=torch.float64)


def smooth_point_sample_inputs(*shape: int | Size) -> tuple[Tensor, ...]:
    """The same where gradients do not jump."""
    x, offset = point_sample_inputs(*shape)
    return x, off_the_kinks(offset)


def reassemble_inputs(B: int, E: int, G: int, size: Size, out: Size) -> tuple[Tensor, ...]:
    """Features of E channels a group, and kernels of 3 x 3 that sum to 1."""
    x = torch.randn(B, G * E, *size, dtype=torch.float64)
    return x, torch.randn(B, G, 9, *out, dtype=torch.float64).softmax(2)


def affinity_inputs(B: int, E: int, G: int, size: Size, out: Size) -> tuple[Tensor, ...]:
    """Query and key whose products are of order 1."""
    scale = E**-0.25
    query = scale * torch.randn(B, G * E, *out, dtype=torch.float64)
    return query, scale * torch.randn(B, G * E, *size, dtype=torch.float64)


def attention_inputs(B: int, E: int, G: int, size: Size, out: Size) -> tuple[Tensor, ...]:
    """Two channels and two points a group, clear of the pixel centres."""
    x = torch.randn(B, 2 * G, *size, dtype=torch.float64)
    offset = 2 * torch.randn(B, 4 * G, *out, dtype=torch.float64)
    return x, *affinity_inputs(B, E, G, size, out), off_the_kinks(offset)


class Primitive(NamedTuple):
    """Called with the tensors of `inputs` and `groups`.

    Attributes:
        call: the primitive.
        slow: its reference.
        inputs: of B, channels a group, groups, (H, W) and (H', W').
        smooth: the same where gradients do not jump.
        logits: results are (B, G, taps, H', W'), in float32 at least.
        roundings: of a result that grows beyond 1, in multiples of the table's tolerances.
    """

    call: Callable[..., Tensor]
    slow: Callable[..., Tensor]
    inputs: Callable[..., tuple[Tensor, ...]]
    smooth: Callable[..., tuple[Tensor, ...]]
    logits: bool = False
    roundings: int = 1

    def result_dtype(self, dtype: torch.dtype) -> torch.dtype:
        """Of inputs of this dtype."""
        return torch.promote_types(dtype, torch.float32) if self.logits else dtype


def _of_two(primitive: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    """A primitive that finds the number of groups in its second argument."""
    return lambda x, field, groups: primitive(x, field)


PRIMITIVES = {
    "point": Primitive(
        _of_two(functional.point_sample),
        _of_two(reference.point_sample),
        point_sample_inputs,
        smooth_point_sample_inputs,
    ),
    "reassemble": Primitive(
        _of_two(functional.reassemble),
        _of_two(reference.reassemble),
        reassemble_inputs,
        reassemble_inputs,
    ),
    "affinity": Primitive(
        lambda query, key, groups: functional.affinity(query, key, 3, groups=groups),
        lambda query, key, groups: reference.affinity(query, key, 3, groups),
        affinity_inputs,
        affinity_inputs,
        logits=True,
        roundings=10,
    ),
    "attention": Primitive(
        functional.point_attention,
        reference.point_attention,
        attention_inputs,
        attention_inputs,
        roundings=10,
    ),
}
