from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from dysample import A2U, functional
from dysample.nn.a2u import convolved, shifted, window_averages

pytestmark = pytest.mark.usefixtures("backend")


def lively(channels: int = 4, **options) -> A2U:
    up = A2U(channels, guide_channels=32, **options).double()
    with torch.no_grad():
        for parameter in up.parameters():
            parameter.copy_(0.3 * torch.randn_like(parameter))
    return up


def pair(batch: int = 2, size=(4, 5), guide_size=(8, 10)) -> tuple[Tensor, Tensor]:
    x = torch.randn(batch, 4, *size, dtype=torch.float64)
    return x, torch.randn(batch, 32, *guide_size, dtype=torch.float64)


def kernels_of_one(up: A2U, guide: Tensor) -> Tensor:
    """Kernels (k^2, H', W') of one image (C, H', W') of even size, one channel after the other."""
    state = {key.removeprefix("kernel_gen."): value for key, value in up.state_dict().items()}

    def reduced(letter: str) -> Tensor:
        pooled = F.adaptive_avg_pool2d(guide, 6)
        weight = state[f"bconv_{letter.upper()}.1.weight"].view(32, 1, 1)
        window = (weight * pooled).sum(0) + state[f"bconv_{letter.upper()}.1.bias"]
        kernel = window.view(1, 1, 6, 6)
        maps = torch.cat(
            [F.conv2d(channel[None, None], kernel, stride=2, padding=2) for channel in guide], dim=1
        )
        affine = state[f"bn{letter}.0.weight"], state[f"bn{letter}.0.bias"]
        return F.leaky_relu(F.group_norm(maps, 32, *affine), 0.01)[0]

    affinity = (reduced("u") * reduced("v")).sum(0) / math.sqrt(32)
    vector = state["bconv_UP.1.weight"].flatten(1) @ guide.mean((1, 2)) + state["bconv_UP.1.bias"]
    logits = vector.view(-1, 2, 2, 1, 1) * affinity  # tap, i, j, h, w
    logits = logits.permute(0, 3, 1, 4, 2).reshape(-1, *guide.shape[1:])
    return logits.sigmoid().softmax(0)


@pytest.mark.parametrize("kernel", [3, 5])
def test_equals_its_definition(kernel: int) -> None:
    up = lively(up_kernel=kernel)
    x, guide = pair()
    weight = torch.stack([kernels_of_one(up, image) for image in guide]).unsqueeze(1)
    torch.testing.assert_close(up(x, guide), functional.reassemble(x, weight), rtol=0, atol=1e-12)


def test_an_odd_guide_is_continued_by_its_last_row_and_column() -> None:
    up = lively()
    x, guide = pair(guide_size=(7, 9))
    rows = torch.tensor([*range(7), 6])
    columns = torch.tensor([*range(9), 8])
    even = guide[:, :, rows][..., columns]
    kernels = up.kernels(x, even)[..., :7, :9]
    torch.testing.assert_close(up.kernels(x, guide), kernels, rtol=0, atol=1e-12)
    expected = functional.reassemble(x, kernels)
    torch.testing.assert_close(up(x, guide), expected, rtol=0, atol=1e-12)


def test_kernels_sum_to_one_and_stay_soft() -> None:
    # The sigmoid in front of the softmax keeps each weight within a factor e of the others.
    kernels = lively().kernels(pair()[0], 100 * pair()[1])
    torch.testing.assert_close(kernels.sum(2), torch.ones_like(kernels.sum(2)))
    spread = kernels.detach().amax(2) / kernels.detach().amin(2)
    assert 2 < float(spread.max()) <= math.e + 1e-9


def test_constant_stays_away_from_the_border() -> None:
    up = lively()
    out = up(torch.full((2, 4, 4, 5), 3.0, dtype=torch.float64), pair()[1])
    inner = out[..., 2:-2, 2:-2]
    torch.testing.assert_close(inner, torch.full_like(inner, 3.0))


def test_kernels_are_shared_by_all_channels() -> None:
    up, order = lively(), torch.tensor([2, 0, 3, 1])
    x, guide = pair()
    assert torch.equal(up(x[:, order], guide), up(x, guide)[:, order])


def test_one_value_a_group() -> None:
    # torch.nn.GroupNorm refuses it: one image, 2x2, 32 channels in 32 groups.
    up = lively()
    out = up(torch.ones(1, 4, 1, 1, dtype=torch.float64), torch.randn(1, 32, 2, 2).double())
    assert torch.isfinite(out).all()


def published_state(raw: bool) -> dict[str, Tensor]:
    """A checkpoint as the published classes write it, for 32 guide channels."""
    shapes = {"bnu.0": (32,), "bnv.0": (32,)}
    for name, out in (("UP", 36), ("U", 1), ("V", 1), *([("DP", 36)] if raw else [])):
        shapes[f"bconv_{name}.1"] = (out, 32, 1, 1)
    state = {}
    for name, shape in shapes.items():
        state[f"kernel_gen.{name}.weight"] = torch.randn(shape)
        state[f"kernel_gen.{name}.bias"] = torch.randn(shape[0])
    return state


@pytest.mark.parametrize("raw", [False, True], ids=["batched", "raw"])
def test_published_checkpoints_load(raw: bool) -> None:
    state, up = published_state(raw), A2U(4, guide_channels=32)
    up.load_state_dict(state)
    assert sorted(up.state_dict()) == sorted(key for key in state if "DP" not in key)
    model = torch.nn.Sequential(torch.nn.Identity(), A2U(4, guide_channels=32))
    model.load_state_dict({f"1.{key}": value for key, value in state.items()})
    for key, value in up.state_dict().items():
        assert torch.equal(value, state[key])
        assert torch.equal(model[1].state_dict()[key], state[key])


def test_wrong_checkpoints_name_each_key() -> None:
    state = published_state(raw=False)
    del state["kernel_gen.bnu.0.bias"]
    state["kernel_gen.bconv_X.1.bias"] = torch.zeros(1)
    with pytest.raises(
        RuntimeError,
        match=r"(?s)Missing.*kernel_gen.bnu.0.bias.*Unexpected.*kernel_gen.bconv_X.1.bias",
    ):
        A2U(4, guide_channels=32).load_state_dict(state)


@pytest.mark.parametrize("size", [(12, 18), (10, 14), (6, 8), (4, 2)], ids=str)
def test_what_exporters_trace_is_the_same(size: tuple[int, int]) -> None:
    guide, filters = torch.randn(2, 3, *size).double(), torch.randn(2, 2, 6, 6).double()
    for found, expected in zip(shifted(guide, filters), convolved(guide, filters)):
        torch.testing.assert_close(found, expected)
    rows, columns = (window_averages(length, 6, guide) for length in size)
    pooled = F.adaptive_avg_pool2d(guide, 6)
    torch.testing.assert_close(rows @ guide @ columns.t(), pooled)
