"""A module is built for a state of its sizes, or refused before it takes memory."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dysample.fitting import build_for

BUILT: list[str] = []
"""Devices on which `Recorded` was built."""


class Recorded(nn.Linear):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs)
        self.register_buffer("steps", torch.arange(3), persistent=False)
        BUILT.append(self.weight.device.type)


@pytest.fixture(autouse=True)
def _none_yet() -> None:
    BUILT.clear()


def test_the_state_is_loaded_with_its_dtype_and_buffers_are_real() -> None:
    state = {"weight": torch.randn(2, 3).double(), "bias": torch.randn(2).double()}
    module = build_for(lambda: Recorded(3, 2), state)
    assert torch.equal(module.weight, state["weight"])
    assert module.bias.dtype == torch.float64
    assert module.steps.tolist() == [0, 1, 2]
    assert BUILT == ["meta", "cpu"]


@pytest.mark.parametrize(
    ("inputs", "outputs", "match"),
    [(10**12, 2, "size mismatch"), (3, 10**9, "size mismatch"), (10**10, 10**10, "overflow")],
)
def test_other_sizes_are_refused_before_memory_is_taken(
    inputs: int, outputs: int, match: str
) -> None:
    state = {"weight": torch.zeros(2, 3), "bias": torch.zeros(2)}
    with pytest.raises(RuntimeError, match=match):
        build_for(lambda: Recorded(inputs, outputs), state)
    assert "cpu" not in BUILT


@pytest.mark.parametrize("change", [{"extra": torch.zeros(1)}, {"bias": None}])
def test_other_names_are_refused(change: dict) -> None:
    state = {"weight": torch.zeros(2, 3), "bias": torch.zeros(2), **change}
    with pytest.raises(RuntimeError, match=r"Unexpected key|Missing key"):
        build_for(lambda: Recorded(3, 2), {name: v for name, v in state.items() if v is not None})
    assert BUILT == ["meta"]


def test_the_memory_format_is_the_module_s() -> None:
    weight = torch.randn(4, 8, 3, 3)
    convolution = nn.Conv2d(8, 4, 3, bias=False)
    module = build_for(
        lambda: nn.Conv2d(8, 4, 3, bias=False).to(memory_format=torch.channels_last),
        {"weight": weight},
    )
    assert module.weight.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(module.weight, weight)
    assert build_for(lambda: convolution, {"weight": weight}).weight.is_contiguous()
