"""The detectors of the paper: torchvision's, on ResNet-50 or 101, for images of any size.

Ren et al.: Faster R-CNN, NeurIPS 2015; He et al.: Mask R-CNN, ICCV 2017; Kirillov et al.: Panoptic
Feature Pyramid Networks, CVPR 2019.
"""

from typing import Any, Literal

from torch import nn
from torchvision.models.detection import FasterRCNN, MaskRCNN
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.ops import FrozenBatchNorm2d

from dysample.surgery.recipes import install
from dysample.workbench.models.build import create_upsamplers
from dysample.workbench.models.panoptic_fpn import PanopticFPN, SemanticBranch
from dysample.workbench.seeds import seeded

WIDTH = 256
"""Channels of the pyramid, which has three top-down steps."""

BRANCH_WIDTH = 128
"""Channels of the semantic branch of Panoptic FPN."""


def build_rcnn(
    kind: Literal["detection", "instance", "panoptic"],
    depth: Literal[50, 101],
    upsampler: str,
    options: dict[str, Any],
    classes: int,
    seed: int,
    *,
    stuff: int = 0,
    trainable_stages: int = 5,
    frozen_norm: bool = True,
) -> FasterRCNN:
    """A Faster R-CNN, Mask R-CNN or Panoptic FPN with random weights.

    Its parameters are named as in torchvision: stock weights of the backbone or of the whole model
    load with ``strict=False``, and only the upsamplers' are missing.

    Args:
        kind: which of the three.
        depth: of the ResNet.
        upsampler: registered name.
        options: given to `create_upsampler`.
        classes: things, without the background.
        seed: of the random weights; runs of one seed differ in the upsamplers alone.
        stuff: stuff classes, of Panoptic FPN.
        trainable_stages: of the ResNet's 5, counted from the coarsest; 3 is usual from pretrained
            weights.
        frozen_norm: the ResNet's batch normalisation is frozen, as usual from pretrained weights;
            from random ones nothing can be learned so.

    Raises:
        ValueError, TypeError: an unknown kind or upsampler, or options that it does not take.
    """
    kinds = {"detection": FasterRCNN, "instance": MaskRCNN, "panoptic": PanopticFPN}
    if kind not in kinds:
        raise ValueError(f"`kind` (={kind!r}) must be one of {', '.join(kinds)}")
    if depth not in (50, 101):
        raise ValueError(f"`depth` (={depth!r}) must be 50 or 101")
    upsamplers = create_upsamplers(3, WIDTH, upsampler, options, seed)
    with seeded(seed, "model"):
        backbone = resnet_fpn_backbone(
            backbone_name=f"resnet{depth}",
            weights=None,
            norm_layer=FrozenBatchNorm2d if frozen_norm else nn.BatchNorm2d,
            trainable_layers=trainable_stages,
        )
        install(backbone.fpn, dict(enumerate(upsamplers)))
        if kind == "panoptic":
            # The pyramid's extra level, pooled from the coarsest, tells the branch nothing new.
            branch = SemanticBranch(WIDTH, stuff + 1, levels=4, width=BRANCH_WIDTH)
            return PanopticFPN(backbone, branch, num_classes=classes + 1)
        model: FasterRCNN = kinds[kind](backbone, num_classes=classes + 1)
        return model
