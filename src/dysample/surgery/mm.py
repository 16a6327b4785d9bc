"""Register the upsamplers with the OpenMMLab libraries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dysample.nn import Upsampler
from dysample.registry import create_upsampler, list_upsamplers


def register_mm() -> list[str]:
    """Register every upsampler in mmengine's `MODELS`, where mmcv's build_upsample_layer looks.

    A configuration then names it: ``upsample_cfg=dict(type="dysample", in_channels=64)``. Our names
    that do not begin with "dysample" do so there, as in "dysample_carafe": mmcv has a "carafe" of
    its own. Names that are registered already are left as they are.

    Returns:
        The names in `MODELS`.

    Raises:
        ModuleNotFoundError: if mmengine is not installed.
    """
    from mmengine.registry import MODELS

    names = []
    for name in list_upsamplers():
        registered = name if name.startswith("dysample") else f"dysample_{name}"
        if registered not in MODELS.module_dict:
            MODELS.register_module(name=registered, module=_factory(name))
        names.append(registered)
    return names


def _factory(name: str) -> Callable[..., Upsampler]:
    def build(in_channels: int, scale_factor: float = 2, **options: Any) -> Upsampler:
        return create_upsampler(name, in_channels, scale_factor, **options)

    return build
