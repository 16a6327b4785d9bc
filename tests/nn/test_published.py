"""DySample as super-resolution models have it, and weights that their code reads."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

import dysample
from dysample import DySample
from dysample.nn import published_state_dict


class Published(nn.Module):
    """What spandrel's and neosr's class is given and stores, computed pixel by pixel."""

    def __init__(self, channels: int, out: int, scale: int, groups: int, end: bool = True) -> None:
        super().__init__()
        self.scale, self.groups = scale, groups
        planes = 2 * groups * scale**2
        if end:
            self.end_conv = nn.Conv2d(channels, out, 1)
        self.offset = nn.Conv2d(channels, planes, 1)
        self.scope = nn.Conv2d(channels, planes, 1, bias=False)
        # x of a sub-pixel in column j, then y in row i, each for every group.
        places = [(2 * j + 1 - scale) / (2 * scale) for _ in range(scale) for j in range(scale)]
        rows = [(2 * i + 1 - scale) / (2 * scale) for i in range(scale) for _ in range(scale)]
        start = torch.tensor(places * groups + rows * groups)
        self.register_buffer("init_pos", start.view(1, -1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        B, C, H, W = x.shape
        s, G = self.scale, self.groups
        moved = self.offset(x) * self.scope(x).sigmoid() * 0.5 + self.init_pos
        moved = moved.view(B, 2, G, s, s, H, W)
        out = x.new_zeros(B, C, s * H, s * W)
        for b in range(B):
            for c in range(C):
                for Y in range(s * H):
                    for X in range(s * W):
                        h, i, w, j = Y // s, Y % s, X // s, X % s
                        dx, dy = (float(v) for v in moved[b, :, c * G // C, i, j, h, w])
                        out[b, c, Y, X] = bilinear(x[b, c], h + dy, w + dx)
        return self.end_conv(out) if hasattr(self, "end_conv") else out


def bilinear(plane: Tensor, row: float, column: float) -> Tensor:
    """A sample at a position whose pixel centres lie at integers, clamped to the border."""
    H, W = plane.shape
    row, column = min(max(row, 0.0), H - 1.0), min(max(column, 0.0), W - 1.0)
    h, w = math.floor(row), math.floor(column)
    below, right = min(h + 1, H - 1), min(w + 1, W - 1)
    upper = (1 - column + w) * plane[h, w] + (column - w) * plane[h, right]
    lower = (1 - column + w) * plane[below, w] + (column - w) * plane[below, right]
    return (1 - row + h) * upper + (row - h) * lower


def published(scale: int, end: bool = True) -> Published:
    theirs = Published(8, 3, scale, 4, end).double()
    for weight in theirs.parameters():
        nn.init.normal_(weight, std=0.5)
    return theirs.requires_grad_(False)


@pytest.mark.parametrize("end", [True, False])
@pytest.mark.parametrize("scale", [1, 2, 3])
@pytest.mark.usefixtures("backend")
def test_checkpoints_go_both_ways_and_give_the_same(scale: int, end: bool) -> None:
    theirs = published(scale, end)
    options = {"out_channels": 3, "end_convolution": True} if end else {}
    up = DySample(8, scale, dyscope=True, **options).double()
    up.load_state_dict(theirs.state_dict())
    x = torch.randn(2, 8, 3, 2, dtype=torch.float64)
    torch.testing.assert_close(up(x), theirs(x), rtol=0, atol=1e-7)  # `init_pos` is float32's
    state = published_state_dict(up)
    assert {k: v.dtype for k, v in state.items()} == {
        k: v.dtype for k, v in theirs.state_dict().items()
    }
    back = Published(8, 3, scale, 4, end).double()
    back.load_state_dict(state)
    for key, value in theirs.state_dict().items():
        torch.testing.assert_close(back.state_dict()[key], value, rtol=0, atol=1e-7)
    DySample(8, scale, dyscope=True, **options).load_state_dict(state)


def test_models_are_written_whole() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 1), nn.Sequential(DySample(8), DySample(8, 4)))
    state = published_state_dict(model.half())
    assert sorted(state) == sorted([*model.state_dict(), "1.0.init_pos", "1.1.init_pos"])
    assert state["1.1.init_pos"].shape == (1, 2 * 4 * 16, 1, 1)
    assert state["1.1.init_pos"].dtype == torch.float16
    assert list(model.state_dict()) == [key for key in state if "init_pos" not in key]
    model.load_state_dict(state)


def test_one_module_in_two_places_is_written_twice() -> None:
    up = DySample(8)
    assert "1.init_pos" in published_state_dict(nn.Sequential(up, up))


@pytest.mark.parametrize(
    ("match", "options"),
    [
        (r"`1.scope_factor` \(=0.5\) must be 0.25 in published code", {"scope_factor": 0.5}),
        (r"`1.scale_factor` \(=1.5\) must be 2 in published code", {"scale_factor": 1.5}),
        (r"`1.out_channels` \(=4\) must be made by end_convolution=True, or", {"out_channels": 4}),
    ],
)
def test_what_published_code_cannot_compute_is_refused(match: str, options) -> None:
    with pytest.raises(ValueError, match=f"^{match}"):
        published_state_dict(nn.Sequential(nn.Identity(), DySample(8, **options)))


def test_end_convolutions() -> None:
    up = DySample(8, out_channels=3, end_convolution=True)
    assert (up.in_channels, up.out_channels) == (8, 3)
    assert isinstance(up.project, nn.Identity)
    assert "end_convolution=True" in str(up)
    assert DySample(8, end_convolution=True).end_conv.weight.shape == (8, 8, 1, 1)
    # A 1x1 convolution at low resolution, 4 taps a sample, a 1x1 convolution of the output.
    assert up.macs(5, 7) == 32 * 8 * 35 + 4 * 8 * 140 + 8 * 3 * 140
    with pytest.raises(RuntimeError, match=r'Unexpected key\(s\) in state_dict: "end_conv.weight"'):
        DySample(8).load_state_dict(up.state_dict())
    state = {**up.state_dict(), "end_conv.weight": torch.zeros(3, 8, 3, 3)}  # neosr's end_kernel
    with pytest.raises(RuntimeError, match=r"size mismatch for end_conv\.weight"):
        up.load_state_dict(state)
    with pytest.raises(TypeError, match=r"^`end_convolution` \(='no'\) must be True or False$"):
        DySample(8, end_convolution="no")


def test_end_convolutions_are_counted_as_torch_does() -> None:
    from torch.utils.flop_counter import FlopCounterMode

    up = DySample(8, dyscope=True, out_channels=3, end_convolution=True)
    with dysample.backend("eager"), FlopCounterMode(display=False) as counter:
        up(torch.rand(1, 8, 5, 7))
    assert up.macs(5, 7) == counter.get_total_flops() // 2 + 4 * 8 * 140
