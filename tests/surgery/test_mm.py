from __future__ import annotations

from typing import Any

import pytest

from dysample import DySample, list_upsamplers, register_mm


@pytest.fixture
def registry() -> Any:
    # Not when tests are collected: yapf, which it imports, writes its tables into the user's cache
    # the first time, and processes that do so at once read half of them.
    return pytest.importorskip("mmengine.registry")


def test_configurations_find_our_upsamplers(registry: Any) -> None:
    names = register_mm()
    assert len(names) == len(list_upsamplers())
    assert {"dysample", "dysample_s_plus", "dysample_carafe"} <= set(names)
    # What mmcv has under these names stays mmcv's.
    assert not {"nearest", "bilinear", "deconv", "pixel_shuffle", "carafe"} & set(names)
    up = registry.MODELS.build({"type": "dysample_s", "in_channels": 16, "scale_factor": 4})
    assert isinstance(up, DySample)
    assert (up.in_channels, up.scale_factor, up.style) == (16, 4, "pl")


def test_the_way_of_mmcv_s_build_upsample_layer(registry: Any) -> None:
    register_mm()
    with registry.MODELS.switch_scope_and_registry(None) as found:
        layer = found.get("dysample")
    assert isinstance(layer(in_channels=8, groups=2), DySample)


def test_registering_twice_changes_nothing(registry: Any) -> None:
    names = register_mm()
    before = [registry.MODELS.get(name) for name in names]
    assert register_mm() == names
    assert [registry.MODELS.get(name) for name in names] == before


def test_mistakes_are_ours(registry: Any) -> None:
    register_mm()
    with pytest.raises(TypeError, match="`gruops` must be an option of dysample"):
        registry.MODELS.get("dysample")(in_channels=8, gruops=2)
