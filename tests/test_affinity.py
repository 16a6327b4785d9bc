"""What `affinity` and `point_attention` mean; `test_functional` holds them to their references."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from dysample import functional
from dysample.backends import reference
from support.primitives import Size, affinity_inputs, attention_inputs
from support.tolerances import assert_close


@pytest.mark.parametrize("scale", [1, 2, 3])
@pytest.mark.parametrize("out", [(6, 8), (7, 5), (2, 9), (3, 4)], ids=str)
def test_sapa_deform_reads_the_nearest_sub_pixel(scale: int, out: Size, backend: str) -> None:
    x, query, key, _ = attention_inputs(2, 2, 2, (3, 4), out)
    field = torch.randn(2, 12 * scale**2, 3, 4, dtype=torch.float64)
    tensors = [tensor.requires_grad_() for tensor in (x, query, key, field)]
    ours = functional.sapa_deform(*tensors, scale, groups=2)
    spread = F.interpolate(F.pixel_shuffle(field, scale), out, mode="nearest-exact")
    expected = functional.point_attention(x, query, key, spread, groups=2)
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-13)
    high = torch.randn_like(ours)
    for our, their in zip(
        torch.autograd.grad(ours, tensors, high), torch.autograd.grad(expected, tensors, high)
    ):
        torch.testing.assert_close(our, their, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kernel", [1, 5])
def test_affinity_at_other_kernels(kernel: int, backend: str) -> None:
    query, key = affinity_inputs(1, 2, 1, (3, 2), (6, 5))
    expected = reference.affinity(query, key, kernel)
    assert_close(functional.affinity(query, key, kernel), expected, torch.float64, backend)


def test_affinity_of_a_one_hot_query_reads_the_neighbours(backend: str) -> None:
    key = torch.randn(1, 2, 3, 4, dtype=torch.float64)
    query = torch.zeros(1, 2, 6, 8, dtype=torch.float64)
    query[:, 1] = 1
    out = functional.affinity(query, key, 3)
    windows = F.unfold(key[:, 1:], 3, padding=1).view(1, 9, 3, 4)
    expected = F.interpolate(windows, (6, 8), mode="nearest").unsqueeze(1)
    assert torch.equal(out, expected)


def test_logits_outside_the_map_are_zero_and_take_part(backend: str) -> None:
    query, key = torch.ones(1, 1, 1, 1), torch.full((1, 1, 1, 1), 3.0)
    logits = functional.affinity(query, key, 3)
    assert torch.equal(logits.flatten(), torch.tensor([0.0] * 4 + [3.0] + [0.0] * 4))
    out = functional.sapa(torch.ones(1, 1, 1, 1), query, key, kernel=3)
    torch.testing.assert_close(out[0, 0, 0], logits.softmax(2)[0, 0, 4, 0])


def test_groups_are_contiguous_blocks_of_channels(backend: str) -> None:
    x, query, key, offset = attention_inputs(1, 2, 3, (4, 4), (8, 8))
    logits = functional.affinity(query, key, 3, groups=3)
    whole = functional.point_attention(x, query, key, offset, groups=3)
    for g in range(3):
        part, quarter = slice(2 * g, 2 * g + 2), slice(4 * g, 4 * g + 4)
        alone = functional.affinity(query[:, part], key[:, part], 3)
        assert torch.equal(logits[:, g : g + 1], alone)
        fields = (x[:, part], query[:, part], key[:, part], offset[:, quarter])
        assert torch.equal(whole[:, part], functional.point_attention(*fields))


def test_a_query_of_zero_weighs_all_alike(backend: str) -> None:
    x = torch.randn(1, 3, 5, 6, dtype=torch.float64)
    query = torch.zeros(1, 2, 10, 12, dtype=torch.float64)
    key = torch.randn(1, 2, 5, 6, dtype=torch.float64)
    box = F.interpolate(F.avg_pool2d(x, 3, stride=1, padding=1), (10, 12), mode="nearest")
    assert_close(functional.sapa(x, query, key, kernel=3), box, torch.float64, backend)
    still = torch.zeros(1, 4, 10, 12, dtype=torch.float64)
    nearest = F.interpolate(x, (10, 12), mode="nearest")
    assert_close(functional.point_attention(x, query, key, still), nearest, torch.float64, backend)


def test_points_at_the_window_are_the_affinity(backend: str) -> None:
    x, query, key, _ = attention_inputs(1, 3, 1, (4, 5), (9, 10))
    steps = torch.tensor([-1.0, 0.0, 1.0], dtype=torch.float64)
    # Tap (dy, dx), rows first; channels x then y of each point.
    window = torch.stack((steps.repeat(3), steps.repeat_interleave(3)), dim=1).reshape(1, 18, 1, 1)
    points = functional.point_attention(x, query, key, window.expand(1, 18, 9, 10))
    assert_close(points, functional.sapa(x, query, key, kernel=3), torch.float64, backend)


def test_points_outside_the_map_are_zero_and_take_part() -> None:
    x = torch.ones(1, 1, 2, 2, dtype=torch.float64)
    offset = torch.zeros(1, 4, 2, 2, dtype=torch.float64)
    offset[:, 2] = 2  # the second point leaves to the right
    out = functional.point_attention(x, torch.zeros_like(x), x, offset)
    torch.testing.assert_close(out, 0.5 * x)
    for far in (1e30, -1e30, float("inf"), float("-inf")):
        offset[:, 2] = far
        torch.testing.assert_close(functional.point_attention(x, 0 * x, x, offset), 0.5 * x)


def test_low_precision_logits_are_not_rounded(backend: str) -> None:
    # 2 * 128 + 1: bfloat16 holds only even numbers there.
    query = torch.tensor([16.0, 1.0]).view(1, 2, 1, 1).bfloat16()
    key = torch.tensor([16.0, 1.0]).view(1, 2, 1, 1).bfloat16()
    assert functional.affinity(query, key, 1).item() == 257
