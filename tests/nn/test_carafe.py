from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from dysample import CARAFE, functional

pytestmark = pytest.mark.usefixtures("backend")


def test_positional_arguments_are_those_of_the_published_pack() -> None:
    up = CARAFE(6, 2, 3, 2, 1, 1, 5)
    assert up.channel_compressor.weight.shape == (5, 6, 1, 1)
    assert up.content_encoder.weight.shape == (3**2 * 2 * 2**2, 5, 1, 1)


def test_starts_nearly_as_a_box_filter() -> None:
    up, x = CARAFE(8), torch.randn(1, 8, 9, 9)
    box = F.avg_pool2d(x, 5, stride=1, padding=2)
    torch.testing.assert_close(up(x), F.interpolate(box, scale_factor=2), rtol=0, atol=0.02)


def test_kernels_sum_to_one_so_a_constant_stays() -> None:
    up = CARAFE(4, compressed_channels=4)
    torch.nn.init.normal_(up.content_encoder.weight)
    out = up(torch.full((1, 4, 9, 9), 3.0), size=(17, 18))
    inner = out[..., 5:-5, 5:-5]  # at the border the taps outside the map count as 0
    torch.testing.assert_close(inner, torch.full_like(inner, 3.0))
    assert (out[..., 0, 0] < 3.0).all()


def test_module_equals_function() -> None:
    up, x = CARAFE(8, 2, 3, 2, compressed_channels=4), torch.randn(1, 8, 5, 4)
    logits = up.content_encoder(up.channel_compressor(x))
    expected = functional.carafe(x, logits, 2, kernel=3, groups=2, size=(9, 9))
    assert torch.equal(up(x, size=(9, 9)), expected)
