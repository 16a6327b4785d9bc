"""What the primitives keep for their gradients."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from dysample import functional
from dysample.workbench.costs.count import allocated_peak

pytestmark = pytest.mark.usefixtures("backend")


def saved_bytes(call: Callable[[], Tensor]) -> int:
    saved: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        saved[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        call()
    return sum(saved.values())


def test_affinity_never_unfolds() -> None:
    # Saved for the backward: the padded keys and the query, not k*k copies of the keys.
    query, key = torch.randn(1, 16, 16, 16), torch.randn(1, 16, 8, 8)
    query.requires_grad_()
    key.requires_grad_()
    padded = 16 * 12 * 12 * 4
    saved = saved_bytes(lambda: functional.affinity(query, key, 5))
    assert saved <= padded + query.untyped_storage().nbytes()


def test_attention_keeps_no_samples() -> None:
    # 8 points: their samples would be 8 times the output, and 8 times the query.
    x, key = (torch.randn(1, 16, 8, 8, requires_grad=True) for _ in range(2))
    query = torch.randn(1, 16, 16, 16, requires_grad=True)
    offset = torch.randn(1, 16, 16, 16, requires_grad=True)
    fields = sum(tensor.untyped_storage().nbytes() for tensor in (x, key, query))
    grids, logits = offset.untyped_storage().nbytes(), 8 * 16 * 16 * 4
    saved = saved_bytes(lambda: functional.point_attention(x, query, key, offset))
    assert saved <= fields + 2 * grids + logits  # the grids before and after they are clamped


@pytest.mark.parametrize("groups", [1, 4])
def test_attention_holds_few_samples(groups: int) -> None:
    # Of 8 points. Those of one and all groups are an eighth of the output, or all of it.
    x, query = torch.randn(2, 256, 32, 32), torch.randn(2, 16, 64, 64)
    key, offset = torch.randn(2, 16, 32, 32), torch.randn(2, 16 * groups, 64, 64)
    fields = [t.requires_grad_() for t in (x, query, key, offset)]
    output = 2 * 256 * 64 * 64 * 4
    with torch.no_grad():
        held = allocated_peak(lambda: functional.point_attention(*fields, groups=groups))
    assert held <= 2.5 * output
    out = functional.point_attention(*fields, groups=groups)
    gradients = sum(tensor.untyped_storage().nbytes() for tensor in fields)
    held = allocated_peak(lambda: torch.autograd.grad(out.sum(), fields))
    assert held <= 2.5 * output + 1.5 * gradients


def test_reassembly_never_unfolds() -> None:
    # Saved for the backward: the padded features and the kernels, not k*k copies of the features.
    x, weight = torch.randn(1, 16, 8, 8), torch.randn(1, 1, 25, 16, 16)
    x.requires_grad_()
    padded = 16 * 12 * 12 * 4
    saved = saved_bytes(lambda: functional.reassemble(x, weight))
    assert saved <= padded + weight.untyped_storage().nbytes()
