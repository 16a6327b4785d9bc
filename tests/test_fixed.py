"""Reads of the nearest pixel as copies and slices: the same pixels as by indices."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from dysample.fixed import channel_sum, fixed, from_slots, ratios, spread, to_slots
from dysample.geometry import nearest_index, pad_to_even, read_nearest
from support.upsamplers import features

lengths = st.integers(1, 40)


@pytest.fixture(autouse=True)
def exporter():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dysample.fixed.is_exporting", lambda: True)
        yield patch


def pixels(height: int, width: int) -> torch.Tensor:
    """A map whose values tell the pixels apart."""
    return torch.arange(1.0, 1 + height * width).view(1, 1, height, width)


@given(lengths, lengths, lengths, lengths)
def test_nearest_pixels(H: int, W: int, Y: int, X: int) -> None:
    x, device = pixels(H, W), torch.device("cpu")
    rows, columns = nearest_index(Y, H, device), nearest_index(X, W, device)
    assert torch.equal(read_nearest(x, (Y, X)), x[..., rows[:, None], columns])


@given(lengths, lengths, lengths, lengths)
def test_every_output_pixel_has_a_slot_of_its_low_res_pixel(H: int, W: int, Y: int, X: int) -> None:
    out, low = pixels(Y, X), (H, W)
    slots = to_slots(out, low)
    n, m = ratios((Y, X), low)
    assert slots.shape == (1, 1, n * H, m * W)
    assert torch.equal(from_slots(slots, low, (Y, X)), out)
    spread_out = spread(pixels(H, W), (n, m))
    assert torch.equal(from_slots(spread_out, low, (Y, X)), read_nearest(pixels(H, W), (Y, X)))


def test_one_row_less_is_two_slices() -> None:
    program = torch.export.export(Read((11, 18)), (pixels(6, 9),), strict=False)
    kinds = [node.target.__name__ for node in program.graph.nodes if node.op == "call_function"]
    assert kinds == ["upsample_nearest2d.vec", "slice.Tensor", "slice.Tensor", "cat.default"]


class Read(nn.Module):
    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return read_nearest(x, self.size)


@pytest.mark.parametrize("size", [(4, 6), (5, 6), (4, 7), (5, 7), (1, 1)])
def test_padding_repeats_the_last(size: tuple[int, int]) -> None:
    x = pixels(*size)
    rows, columns = (torch.arange(n + n % 2).clamp(max=n - 1) for n in size)
    assert torch.equal(pad_to_even(x), x[..., rows[:, None], columns])


def test_sums_over_channels() -> None:
    x = features()
    torch.testing.assert_close(channel_sum(x), x.sum(1, keepdim=True))


def test_what_an_exporter_traces_is_fixed_unless_it_varies(exporter: pytest.MonkeyPatch) -> None:
    exporter.undo()
    assert not fixed(2, 4)
    seen = []

    class Model(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen.append((fixed(x.shape[0]), fixed(x.shape[2]), fixed(x.shape[0], x.shape[2])))
            return x + 1

    shape = {2: torch.export.Dim.DYNAMIC}
    torch.export.export(Model(), (torch.zeros(2, 3, 4),), dynamic_shapes=[shape], strict=False)
    assert seen[-1] == (True, False, False)
    torch.compile(Model(), backend="eager")(torch.zeros(2, 3, 4))
    assert seen[-1] == (False, False, False)
