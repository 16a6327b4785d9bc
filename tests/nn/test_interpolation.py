"""Nearest, Bilinear, Deconv and PixelShuffle against torch's own modules."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dysample.nn import Bilinear, Deconv, Nearest, PixelShuffle

X = torch.randn(2, 6, 5, 7)


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_nearest_equals_torch_at_whole_scales(scale: int) -> None:
    assert torch.equal(Nearest(6, scale)(X), nn.Upsample(scale_factor=scale)(X))


@pytest.mark.parametrize("size", [(7, 10), (9, 13), (3, 4)], ids=str)
def test_nearest_equals_torch_nearest_exact(size: tuple[int, int]) -> None:
    assert torch.equal(Nearest(6)(X, size=size), F.interpolate(X, size, mode="nearest-exact"))


@pytest.mark.parametrize("size", [(10, 14), (9, 13), (3, 4)], ids=str)
def test_bilinear_equals_torch(size: tuple[int, int]) -> None:
    expected = F.interpolate(X, size, mode="bilinear", align_corners=False)
    assert torch.equal(Bilinear(6)(X, size=size), expected)


def test_deconv_is_the_published_layer_at_scale_2() -> None:
    torch.manual_seed(3)
    theirs = nn.ConvTranspose2d(6, 4, 3, stride=2, padding=1, output_padding=1)
    torch.manual_seed(3)
    ours = Deconv(6, out_channels=4)
    assert torch.equal(ours.weight, theirs.weight)  # the same initialisation
    assert torch.equal(ours(X), theirs(X))
    ours.load_state_dict(theirs.state_dict())


def test_deconv_keeps_its_centre_tap_at_other_scales() -> None:
    for scale in (1, 3, 4):
        up = Deconv(1, scale)
        nn.init.zeros_(up.weight)
        nn.init.zeros_(up.bias)
        up.weight.data[0, 0, scale - 1, scale - 1] = 1
        x = torch.randn(1, 1, 4, 5)
        out = up(x)
        assert torch.equal(out[..., ::scale, ::scale], x)
        assert int((out != 0).sum()) == x.numel()


def test_pixel_shuffle_is_the_published_sequence() -> None:
    theirs = nn.Sequential(nn.Conv2d(6, 4 * 9, 3, padding=1), nn.PixelShuffle(3))
    ours = PixelShuffle(6, 3, out_channels=4)
    ours.load_state_dict(theirs.state_dict())
    assert torch.equal(ours(X), theirs(X))


def test_other_sizes_read_the_nearest_pixel_of_the_whole_scale() -> None:
    for up in (Deconv(6), PixelShuffle(6)):
        whole = up(X)
        assert torch.equal(up(X, size=(5, 7)), whole[..., 1::2, 1::2])
