"""Recipes: host classes with a rewritten forward, so that their steps have a guide.

A recipe is a subclass of the host class with the same forward but for its upsampling steps. It
replaces the class of an instance, whose layers keep their names and values. Upsamplers that read no
guide need none, see `dysample.surgery.reroute`. The libraries of the hosts are imported only with a
recipe, when there is an instance of its host.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Protocol, cast

from torch import nn

from dysample.surgery.reroute import UPSAMPLERS

RECIPES = {
    "segmentation_models_pytorch.decoders.fpn.decoder.FPNBlock": "smp.UpsamplingFPNBlock",
    "segmentation_models_pytorch.decoders.unet.decoder.UnetDecoderBlock": "smp.UpsamplingUnetBlock",
    "segmentation_models_pytorch.decoders.upernet.decoder.FPNLateralBlock": (
        "smp.UpsamplingLateralBlock"
    ),
    "torchvision.models.segmentation.lraspp.LRASPPHead": "lraspp.UpsamplingLRASPPHead",
    "torchvision.ops.feature_pyramid_network.FeaturePyramidNetwork": "pyramid.UpsamplingPyramid",
    "transformers.models.maskformer.modeling_maskformer.MaskFormerFPNLayer": (
        "maskformer.UpsamplingFPNLayer"
    ),
    "transformers.models.segformer.modeling_segformer.SegformerDecodeHead": (
        "segformer.UpsamplingDecodeHead"
    ),
    "transformers.models.upernet.modeling_upernet.UperNetHead": "upernet.UpsamplingUperNetHead",
}
"""Host class, and its recipe in this package."""


class Recipe(Protocol):
    """The interface of a recipe beyond its host class."""

    @staticmethod
    def calls(owner: nn.Module) -> list[int]:
        """Return the numbers of the replaced `F.interpolate` calls in the host's forward."""

    @staticmethod
    def guide_channels(owner: nn.Module, channels: int) -> int | None:
        """Return the guide's channels of a step on that many channels; None without a guide."""


def find_recipe(owner: nn.Module) -> Recipe | None:
    """Return the recipe for a module, by its exact class."""
    host = type(owner)
    address = RECIPES.get(f"{host.__module__}.{host.__qualname__}")
    if address is None:
        return None
    file, _, name = address.partition(".")
    return cast(Recipe, getattr(importlib.import_module(f"{__name__}.{file}"), name))


def install(owner: nn.Module, upsamplers: Mapping[int, nn.Module]) -> None:
    """Replace the steps of a module that has a recipe, in place.

    Args:
        owner: instance of a class in `RECIPES`.
        upsamplers: ``up(x, guide=None, *, size=None)`` by number of the call of `F.interpolate`
            in the host's forward.

    Raises:
        ValueError: if there is no recipe, or the calls are others than those that it replaces.
    """
    recipe = find_recipe(owner)
    if recipe is None:
        raise ValueError(f"`owner` (={type(owner).__name__}) must be one of {', '.join(RECIPES)}")
    calls = recipe.calls(owner)
    if set(upsamplers) != set(calls):
        given = sorted(upsamplers)
        raise ValueError(f"`upsamplers` (={given}) must be for the calls {calls}")
    owner.__class__ = cast(type, recipe)
    setattr(owner, UPSAMPLERS, nn.ModuleDict({str(call): upsamplers[call] for call in calls}))
