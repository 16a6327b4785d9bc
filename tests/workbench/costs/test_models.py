from collections.abc import Callable

import pytest

from dysample.workbench.costs.models import model_macs, model_parameters
from dysample.workbench.models.build import build_segmenter, find_upsamplers


@pytest.mark.parametrize("head", ["plain", "skip"])
def test_macs_by_hand(tiny: Callable, head: str) -> None:
    model = build_segmenter("nearest", {}, 8, tiny(head=head, width=16), 0)
    # Convolutions at 32 px: (inputs, outputs, kernel, pixels).
    layers = [
        (3, 32, 9, 256),
        (32, 64, 9, 64),
        (64, 96, 9, 16),
        (96, 96, 9, 16),
        (96, 128, 9, 4),
        (128, 128, 9, 4),
        (32, 16, 1, 256),
        (64, 16, 1, 64),
        (96, 16, 1, 16),
        (128, 16, 1, 4),
        (16 * (3 + (head == "skip")), 16, 1, 256),
        (16, 8, 1, 256),
    ]
    expected = sum(a * b * k * pixels for a, b, k, pixels in layers)
    assert model_macs(model, 32, 32) == {"total": expected, "upsamplers": 0}


@pytest.mark.parametrize("name", ["bilinear", "deconv", "carafe", "dysample_plus"])
def test_upsamplers_are_counted_by_their_own_formula_at_their_sizes(
    tiny: Callable, name: str
) -> None:
    # 48 px: the maps are 24, 12, 6 and 3 pixels wide.
    model = build_segmenter(name, {}, 8, tiny(), 0)
    macs = model_macs(model, 48, 48)
    sizes = [3, 6, 12, 6, 12, 12]
    expected = sum(up.macs(n, n) for up, n in zip(find_upsamplers(model), sizes))
    assert macs["upsamplers"] == expected > 0
    nearest = model_macs(build_segmenter("nearest", {}, 8, tiny(), 0), 48, 48)
    assert macs["total"] - expected == nearest["total"]


def test_counting_changes_nothing(tiny: Callable) -> None:
    model = build_segmenter("bilinear", {}, 8, tiny(), 0)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    model_macs(model, 32, 32)
    assert model.training
    assert all(before[k].equal(v) for k, v in model.state_dict().items())
    assert not any(up._forward_hooks or up._forward_pre_hooks for up in find_upsamplers(model))


def test_parameters(tiny: Callable) -> None:
    nearest, deconv = (
        model_parameters(build_segmenter(name, {}, 8, tiny(), 0)) for name in ("nearest", "deconv")
    )
    assert nearest["upsamplers"] == 0
    assert deconv["upsamplers"] > 0
    assert deconv["total"] - deconv["upsamplers"] == nearest["total"]
