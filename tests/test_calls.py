"""Calls are recorded in order, and no hooks stay."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dysample import FADE, DySample
from dysample.calls import record_calls


class Pyramid(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.coarse = DySample(8)
        self.fine = DySample(8)
        self.guided = FADE(8)

    def forward(self, x: torch.Tensor, guide: torch.Tensor) -> torch.Tensor:
        return self.guided(self.coarse(self.fine(x)), guide=guide)


def test_calls_come_in_order_with_what_they_were_given() -> None:
    model, x, guide = Pyramid(), torch.randn(2, 8, 4, 5), torch.randn(2, 8, 16, 20)
    calls, returned = record_calls(model, lambda: model(x, guide))
    assert [call.site for call in calls] == ["fine", "coarse", "guided"]
    assert torch.equal(calls[0].x, x)
    assert [call.size for call in calls] == [(8, 10), (16, 20), (16, 20)]
    assert calls[0].low == (4, 5)
    assert calls[0].guide is None
    assert torch.equal(calls[2].guide, guide)
    assert torch.equal(calls[2].out, returned)
    assert not any(module._forward_hooks for module in model.modules())


def test_an_error_in_the_model_leaves_no_hooks() -> None:
    model = Pyramid()
    with pytest.raises(ValueError, match="`x`"):
        record_calls(model, lambda: model(torch.randn(1, 3, 4, 5), None))
    assert not any(module._forward_hooks for module in model.modules())
