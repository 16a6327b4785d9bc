"""Models that are not ours, to operate on, and what surgery finds in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dysample.surgery import Site
from support import host_models as models


@dataclass(frozen=True)
class Host:
    """A model, and what surgery finds in it.

    Args:
        name: as users know it.
        example_script: one to start from, in `examples/`.
        library: that must be installed.
        build: makes the model.
        steps: names of the sites that upsample features.
        mode: of those steps of which the equality at the start is tested.
        options: of DySample, with which these start as they were.
        guided: how many of the steps a guided upsampler can take.
        where: of hosts without such steps, the site that is asked for.
        size: of the image; not square, where the model allows it.
        why_no_guide: where no guided upsampler can go, the reason.
    """

    name: str
    example_script: str
    library: str
    build: Callable[[], nn.Module]
    steps: tuple[str, ...]
    mode: str = "bilinear"
    options: dict[str, Any] = field(default_factory=dict)
    guided: int = 0
    where: str | None = None
    size: tuple[int, int] = (64, 96)
    why_no_guide: str = ""

    def model(self) -> nn.Module:
        pytest.importorskip(self.library)
        torch.manual_seed(0)
        return self.build().eval()

    def example(self) -> Any:
        image = torch.rand(1, 3, *self.size, generator=torch.Generator().manual_seed(1))
        return [image[0]] if self.name == "Faster R-CNN, FPN" else image

    def same_mode(self, site: Site) -> bool:
        return site.name in self.steps and site.mode == self.mode


def run(model: nn.Module, example: Any) -> list[Tensor]:
    """All floating results of a model."""
    with torch.no_grad():
        return list(flat(model(example)))


def flat(value: Any) -> Any:
    if isinstance(value, Tensor):
        if value.is_floating_point():
            yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from flat(item)
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from flat(item)


def _numbered(path: str, *numbers: int) -> tuple[str, ...]:
    return tuple(path.format(number) for number in numbers)


# Why guides are known to no recipe.
ONE_S_OWN = "no recipe for a user's own class"
MODULES = "the module sees no finer map"
LATER = "the finer map is first read after the step"
LONG = "no recipe: its forward is too long"
LOGITS = "its only step resizes logits"

NEAREST = {"start": "nearest"}
BILINEAR = {"decoder_interpolation": "bilinear"}
HOSTS = {
    host.name: host
    for host in [
        Host(
            "Faster R-CNN, FPN",
            "torchvision_faster_rcnn.py",
            "torchvision",
            models.faster_rcnn,
            _numbered("backbone.fpn:{}", 0, 1, 2),
            mode="nearest",
            options=NEAREST,
            guided=3,
        ),
        Host(
            "DeepLabV3",
            "torchvision_deeplabv3.py",
            "torchvision",
            models.deeplab,
            (),
            where=":0",
            why_no_guide=LOGITS,
        ),
        Host(
            "LRASPP",
            "torchvision_lraspp.py",
            "torchvision",
            models.lraspp,
            ("classifier:0",),
            guided=1,
        ),
        Host(
            "Unet",
            "smp_unet.py",
            "segmentation_models_pytorch",
            partial(models.smp, "Unet", **BILINEAR),
            _numbered("decoder.blocks.{}:0", 0, 1, 2, 3, 4),
            guided=4,
        ),
        Host(
            "FPN",
            "smp_fpn.py",
            "segmentation_models_pytorch",
            partial(models.smp, "FPN", **BILINEAR),
            (
                *_numbered("decoder.p{}:0", 4, 3, 2),
                *_numbered("decoder.seg_blocks.0.block.{}:0", 0, 1, 2),
                *_numbered("decoder.seg_blocks.1.block.{}:0", 0, 1),
                "decoder.seg_blocks.2.block.0:0",
            ),
            guided=3,
        ),
        Host(
            "UPerNet",
            "smp_upernet.py",
            "segmentation_models_pytorch",
            partial(models.smp, "UPerNet"),
            (
                *_numbered("decoder.fpn_lateral_blocks.{}:0", 0, 1, 2),
                *_numbered("decoder:{}", 0, 1, 2),
            ),
            guided=3,
        ),
        Host(
            "DeepLabV3+",
            "smp_deeplabv3plus.py",
            "segmentation_models_pytorch",
            partial(models.smp, "DeepLabV3Plus"),
            ("decoder.up",),
            mode="bilinear, corners",
            why_no_guide=MODULES,
        ),
        Host(
            "U-Net on timm features",
            "timm_unet.py",
            "timm",
            models.UNet,
            _numbered(":{}", 0, 1, 2, 3),
            why_no_guide=ONE_S_OWN,
        ),
        Host(
            "SegFormer",
            "transformers_segformer.py",
            "transformers",
            models.segformer,
            _numbered("decode_head:{}", 1, 2, 3),
            guided=3,
        ),
        Host(
            "UPerNet, transformers",
            "transformers_upernet.py",
            "transformers",
            models.upernet,
            _numbered("decode_head:{}", *range(6)),
            guided=6,
        ),
        Host(
            "DPT",
            "transformers_dpt.py",
            "transformers",
            models.dpt,
            (*_numbered("neck.fusion_stage.layers.{}:0", 0, 1, 2, 3), "head.head.1"),
            mode="bilinear, corners",
            size=(64, 64),
            why_no_guide=LATER,
        ),
        Host(
            "Depth Anything",
            "transformers_depth_anything.py",
            "transformers",
            models.depth_anything,
            (*_numbered("neck.fusion_stage.layers.{}:0", 0, 1, 2, 3), "head:0"),
            mode="bilinear, corners",
            why_no_guide=LATER,
        ),
        Host(
            "MaskFormer",
            "transformers_maskformer.py",
            "transformers",
            models.maskformer,
            _numbered("model.pixel_level_module.decoder.fpn.layers.{}:0", 0, 1, 2),
            mode="nearest",
            options=NEAREST,
            guided=3,
        ),
        Host(
            "Mask2Former",
            "transformers_mask2former.py",
            "transformers",
            models.mask2former,
            ("model.pixel_level_module.decoder:0",),
            why_no_guide=LONG,
        ),
        Host(
            "GLPN",
            "transformers_glpn.py",
            "transformers",
            models.glpn,
            (*_numbered("decoder.stages.{}.upsample", 0, 1, 2, 3), "decoder.final_upsample"),
            why_no_guide=LATER,
        ),
        Host(
            "YOLO rows",
            "yolo_rows.py",
            "torch",
            models.Yolo,
            ("rows.3", "rows.5"),
            mode="nearest",
            options=NEAREST,
            why_no_guide=ONE_S_OWN,
        ),
    ]
}
