from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import dysample
from dysample import SAPADeform, functional


def lively(**options) -> SAPADeform:
    up = SAPADeform(8, points=3, groups=2, embedding=4, **options).double()
    with torch.no_grad():
        for parameter in up.parameters():
            parameter.copy_(0.5 * torch.randn_like(parameter))
    return up


def pair(channels: int = 8, size: tuple[int, int] = (6, 10)) -> tuple[Tensor, Tensor]:
    x = torch.randn(2, channels, 3, 5, dtype=torch.float64)
    return x, torch.randn(2, channels, *size, dtype=torch.float64)


@pytest.mark.parametrize("high_offset", [True, False])
def test_linear_layers_cost_what_the_formula_says(high_offset: bool) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    up = SAPADeform(8, high_offset=high_offset, guide_channels=5, out_channels=4)
    # torch counts nothing for its own sampling; for the kernels' it does.
    with dysample.backend("eager"), FlopCounterMode(display=False) as counter:
        up(torch.randn(1, 8, 3, 5), torch.randn(1, 5, 6, 10))
    samples = 60 * 9 * (4 * 32 + 4)
    assert up.macs(3, 5) == counter.get_total_flops() // 2 + 5 * samples


@pytest.mark.parametrize("high_offset", [True, False])
@pytest.mark.parametrize("size", [(6, 10), (7, 9)], ids=str)
def test_module_equals_function(high_offset: bool, size: tuple[int, int]) -> None:
    up = lively(high_offset=high_offset, out_channels=4)
    x, guide = pair(size=size)
    field = F.pixel_shuffle(up.offset(x), 2) if high_offset else up.offset(x)
    offset = F.interpolate(field, size, mode="nearest-exact")
    expected = functional.point_attention(up.project(x), up.q(guide), up.k(x), offset, groups=2)
    torch.testing.assert_close(up(x, guide), expected, rtol=0, atol=1e-12)


def test_starts_near_nearest() -> None:
    up = SAPADeform(8).double()
    x, guide = pair()
    nn.init.zeros_(up.offset.weight)
    nearest = F.interpolate(x, scale_factor=2, mode="nearest")
    torch.testing.assert_close(up(x, guide), nearest, rtol=0, atol=1e-12)


def test_groups_of_channels_move_alone() -> None:
    up = lively()
    x, guide = pair()
    before = up(x, guide)
    with torch.no_grad():
        up.offset.bias[: 3 * 2 * 4] += 0.5  # points, axes and sub-pixels of the first group
    after = up(x, guide)
    assert torch.equal(after[:, 4:], before[:, 4:])
    assert not torch.allclose(after[:, :4], before[:, :4])


def test_norm_is_read_by_the_layers_and_not_by_the_values() -> None:
    up = SAPADeform(32, norm="group").double()
    x, guide = pair(32)
    normal = F.group_norm(x, 32)
    offset = F.pixel_shuffle(up.offset(normal), 2)
    query = up.q(F.group_norm(guide, 32))
    expected = functional.point_attention(x, query, up.k(normal), offset, groups=4)
    torch.testing.assert_close(up(x, guide), expected, rtol=0, atol=1e-12)
    keys = {"norm_y.weight", "norm_y.bias", "norm_x.weight", "norm_x.bias"}
    assert keys < set(up.state_dict())


def test_checkpoints_inside_a_model_and_keys_that_do_not_fit() -> None:
    model = nn.Sequential(nn.Identity(), lively())
    state = model.state_dict()
    other = nn.Sequential(nn.Identity(), lively())
    other.load_state_dict(state)
    assert torch.equal(other[1].offset.weight, model[1].offset.weight)
    state["1.norm_x.weight"] = state.pop("1.k.bias")
    with pytest.raises(RuntimeError, match=r"(?s)Missing.*1.k.bias.*Unexpected.*1.norm_x.weight"):
        other.load_state_dict(state)
