from __future__ import annotations

import pytest
import torch
from torch import nn

from dysample import FADE, DySample
from dysample.workbench.look.calls import choose_call, record_calls


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
    assert torch.equal(calls[0].x, x[:1])
    assert [call.size for call in calls] == [(8, 10), (16, 20), (16, 20)]
    assert calls[0].low == (4, 5)
    assert calls[0].guide is None
    assert torch.equal(calls[2].guide, guide[:1])
    assert torch.equal(calls[2].out, returned[:1])
    assert not any(module._forward_hooks for module in model.modules())


def test_the_last_of_the_largest_is_looked_at() -> None:
    model = Pyramid()
    calls, _ = record_calls(
        model, lambda: model(torch.randn(1, 8, 4, 5), torch.randn(1, 8, 16, 20))
    )
    assert choose_call(calls, None).site == "guided"
    assert choose_call(calls, "fine").site == "fine"
    with pytest.raises(ValueError, match=r"`site` \(='x'\) must be one of fine, coarse, guided"):
        choose_call(calls, "x")
    with pytest.raises(ValueError, match="must call an upsampler of dysample, but called none"):
        choose_call([], None)


def test_an_error_in_the_model_leaves_no_hooks() -> None:
    model = Pyramid()
    with pytest.raises(ValueError, match="`x`"):
        record_calls(model, lambda: model(torch.randn(1, 3, 4, 5), None))
    assert not any(module._forward_hooks for module in model.modules())
