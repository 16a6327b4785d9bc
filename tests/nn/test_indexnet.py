from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from dysample import IndexNet, functional
from dysample.nn import Nearest

pytestmark = pytest.mark.usefixtures("backend")

C = 4
VARIANTS = [
    (style, nonlinear, context)
    for style in ("holistic", "o2o", "m2o")
    for nonlinear in (True, False)
    for context in (True, False)
]
each_variant = pytest.mark.parametrize(("style", "nonlinear", "context"), VARIANTS)


def lively(style: str, nonlinear: bool, context: bool) -> IndexNet:
    up = IndexNet(C, style=style, nonlinear=nonlinear, context=context).double().eval()
    with torch.no_grad():
        for parameter in up.parameters():
            parameter.copy_(0.5 * torch.randn_like(parameter))
        for key, buffer in up.named_buffers():
            if key.endswith(("running_mean", "running_var")):
                buffer.copy_(torch.rand_like(buffer) + 0.5)
    return up


def pair(batch: int = 2, guide_size=(8, 10)) -> tuple[Tensor, Tensor]:
    x = torch.randn(batch, C, 4, 5, dtype=torch.float64)
    return x, torch.randn(batch, C, *guide_size, dtype=torch.float64)


def logits_of(up: IndexNet, prefix: str, guide: Tensor) -> Tensor:
    """One branch, from its weights alone."""
    state = up.state_dict()
    groups = C if up.style == "o2o" else 1
    key = f"{prefix}.weight" if f"{prefix}.weight" in state else f"{prefix}.0.weight"
    value = F.conv2d(guide, state[key], stride=2, padding=1 if up.context else 0, groups=groups)
    if not up.nonlinear:
        return value
    norm = [state[f"{prefix}.1.{n}"] for n in ("running_mean", "running_var", "weight", "bias")]
    value = F.batch_norm(value, *norm).clamp(0, 6)
    return F.conv2d(value, state[f"{prefix}.3.weight"], groups=groups)


def by_definition(up: IndexNet, guide: Tensor) -> tuple[Tensor, Tensor]:
    """(idx_en, idx_de), pixel (i, j) of every block written to its place."""
    if up.style == "holistic":
        logits = logits_of(up, "indexnet", guide).unsqueeze(1)
    else:
        logits = torch.stack([logits_of(up, f"indexnet{n}", guide) for n in (1, 2, 3, 4)], dim=2)
    y = logits.sigmoid()
    maps = []
    for value in (y.softmax(2), y):
        spread = torch.empty(*value.shape[:2], *guide.shape[2:], dtype=value.dtype)
        for q in range(4):
            spread[..., q // 2 :: 2, q % 2 :: 2] = value[:, :, q]
        maps.append(spread)
    return maps[0], maps[1]


@each_variant
def test_equals_its_definition(style: str, nonlinear: bool, context: bool) -> None:
    up, (x, guide) = lively(style, nonlinear, context), pair()
    idx_en, idx_de = by_definition(up, guide)
    for ours, expected in zip(up.index_maps(guide), (idx_en, idx_de)):
        torch.testing.assert_close(ours, expected, rtol=0, atol=1e-12)
    expected = idx_de * F.interpolate(x, scale_factor=2)
    torch.testing.assert_close(up(x, guide), expected, rtol=0, atol=1e-12)
    weight = idx_de.unsqueeze(2)
    torch.testing.assert_close(functional.reassemble(x, weight), expected, rtol=0, atol=1e-12)


@each_variant
def test_an_odd_guide_is_continued_by_its_last_row_and_column(
    style: str, nonlinear: bool, context: bool
) -> None:
    up, (x, guide) = lively(style, nonlinear, context), pair(guide_size=(7, 9))
    rows, columns = torch.tensor([*range(7), 6]), torch.tensor([*range(9), 8])
    maps, of_even = up.index_maps(guide), by_definition(up, guide[:, :, rows][..., columns])
    for ours, even in zip(maps, of_even):
        torch.testing.assert_close(ours, even[..., :7, :9], rtol=0, atol=1e-12)
    expected = maps[1] * Nearest(C)(x, size=(7, 9))
    torch.testing.assert_close(up(x, guide), expected, rtol=0, atol=1e-12)


@each_variant
def test_the_encoders_map_sums_to_one_in_each_block(
    style: str, nonlinear: bool, context: bool
) -> None:
    up, (_, guide) = lively(style, nonlinear, context), pair()
    idx_en, _ = up.index_maps(guide)
    assert idx_en.shape == (2, 1 if style == "holistic" else C, 8, 10)
    total = 4 * F.avg_pool2d(idx_en, 2)
    torch.testing.assert_close(total, torch.ones_like(total))


@each_variant
def test_equal_logits_are_half_of_nearest(style: str, nonlinear: bool, context: bool) -> None:
    up, (x, guide) = lively(style, nonlinear, context), pair()
    for parameter in up.parameters():
        torch.nn.init.zeros_(parameter)
    assert torch.equal(up(x, guide), 0.5 * Nearest(C)(x))
    pooled = 4 * F.avg_pool2d(up.index_maps(guide)[0] * guide, 2)
    torch.testing.assert_close(pooled, F.avg_pool2d(guide, 2))


def test_holistic_map_is_shared_by_all_channels() -> None:
    up, (x, guide) = lively("holistic", True, True), pair()
    order = torch.tensor([2, 0, 3, 1])
    assert torch.equal(up(x[:, order], guide), up(x, guide)[:, order])


def test_holistic_takes_a_guide_of_any_channels() -> None:
    up = IndexNet(C, guide_channels=7, out_channels=3).eval()
    assert up(torch.randn(1, C, 4, 4), torch.randn(1, 7, 8, 8)).shape == (1, 3, 8, 8)


@pytest.mark.parametrize("style", ["o2o", "m2o"])
def test_one_to_one_reads_each_channel_alone(style: str) -> None:
    up, (x, guide) = lively(style, True, True), pair()
    changed = guide.clone()
    changed[:, 2] += torch.randn_like(changed[:, 2])
    moved = (up(x, changed) != up(x, guide)).flatten(2).any(2).any(0)
    assert moved.tolist() == ([False, False, True, False] if style == "o2o" else [True] * 4)


def test_whole_pixel_translation_commutes_away_from_the_border() -> None:
    up = lively("holistic", True, True)
    x = torch.randn(1, C, 8, 8, dtype=torch.float64)
    guide = torch.randn(1, C, 16, 16, dtype=torch.float64)
    out = up(x, guide)
    moved = up(x.roll((1, 2), dims=(2, 3)), guide.roll((2, 4), dims=(2, 3)))
    inner = (slice(None), slice(None), slice(4, 12), slice(4, 10))
    torch.testing.assert_close(moved.roll((-2, -4), dims=(2, 3))[inner], out[inner])


def test_training_uses_and_updates_batch_statistics() -> None:
    up, (x, guide) = lively("holistic", True, True), pair()
    before, calm = up.indexnet[1].running_mean.clone(), up(x, guide)
    assert not torch.allclose(up.train()(x, guide), calm)
    assert not torch.equal(up.indexnet[1].running_mean, before)


@each_variant
@pytest.mark.parametrize("prefix", ["", "index."])
def test_published_checkpoints_load(
    style: str, nonlinear: bool, context: bool, prefix: str
) -> None:
    theirs, (x, guide) = lively(style, nonlinear, context), pair()
    ours = IndexNet(C, style=style, nonlinear=nonlinear, context=context).double().eval()
    model = torch.nn.ModuleDict({"up": ours})
    state = theirs.state_dict()
    first = {"holistic": "indexnet"}.get(style, "indexnet4")
    assert (
        f"{first}.weight" if style == "holistic" and not nonlinear else f"{first}.0.weight"
    ) in state
    model.load_state_dict({f"up.{prefix}{key}": value for key, value in state.items()})
    assert torch.equal(ours(x, guide), theirs(x, guide))


def test_wrong_checkpoints_name_each_key() -> None:
    state = {f"index.{key}": value for key, value in IndexNet(C).state_dict().items()}
    del state["index.indexnet.3.weight"]
    state["index.indexnet5.0.weight"] = torch.zeros(1)
    with pytest.raises(
        RuntimeError, match=r"(?s)Missing.*indexnet.3.weight.*Unexpected.*indexnet5.0.weight"
    ):
        IndexNet(C).load_state_dict(state)
