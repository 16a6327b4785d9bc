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


def test_calls_are_as_they_were_whatever_the_model_does_later() -> None:
    up, x = DySample(8), torch.randn(1, 8, 4, 5)
    model = nn.ModuleList([up])
    model.forward = lambda x: (up(x).mul_(0), x.mul_(0))
    given, out = x.clone(), up(x).detach().clone()
    calls, _ = record_calls(model, lambda: model(x))
    assert torch.equal(calls[0].x, given)
    assert torch.equal(calls[0].out, out)


def test_a_call_is_inspected_under_its_own_autocast() -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.up = DySample(8)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            with torch.autocast("cpu", torch.bfloat16):
                return self.up(x.bfloat16())

    model = Model()
    (call,), _ = record_calls(model, lambda: model(torch.randn(1, 8, 4, 5)))
    assert (call.x.dtype, call.autocast) == (torch.bfloat16, torch.bfloat16)
    with torch.autocast("cpu", torch.bfloat16):
        expected = model.up.inspect(call.x).positions
    assert torch.equal(call.inspect().positions, expected)
    assert model.up.training


@pytest.mark.parametrize("first", ["compiled", "recorded"])
def test_what_is_compiled_is_recorded_too(first: str) -> None:
    calls_of = []

    def backend(graph: torch.fx.GraphModule, _: object) -> object:
        calls_of.append(graph)
        return graph.forward

    model, x = nn.Sequential(DySample(8)), torch.randn(1, 8, 4, 4)
    model.compile(backend=backend)
    if first == "compiled":
        model(x)
    for _ in range(2):
        assert len(record_calls(model, lambda: model(x))[0]) == 1
    model(x)
    assert len(calls_of) == 1  # and compiled once, without hooks
