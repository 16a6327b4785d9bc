"""Small Faster and Mask R-CNNs: the common encoder, a feature pyramid, torchvision's heads.

Ren et al.: Faster R-CNN, NeurIPS 2015; He et al.: Mask R-CNN, ICCV 2017.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torchvision.models.detection import FasterRCNN, MaskRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.ops import FeaturePyramidNetwork, MultiScaleRoIAlign

from dysample.surgery.recipes import install
from dysample.workbench.models.build import create_encoder, create_upsamplers
from dysample.workbench.models.efficientnet import EfficientNetEncoder
from dysample.workbench.models.encoder import STRIDES, Encoder
from dysample.workbench.models.frozen import FrozenEncoder
from dysample.workbench.models.panoptic_fpn import PanopticFPN, SemanticBranch
from dysample.workbench.seeds import seeded
from dysample.workbench.settings import PyramidSettings

UPSAMPLERS = len(STRIDES) - 1
"""Top-down steps of the pyramid."""

LEVELS = tuple(str(level) for level in range(len(STRIDES)))


class PyramidEncoder(nn.Module):
    """Images (B, 3, H, W) to four maps of `width` channels at the encoder's strides, by level.

    Args:
        encoder: from `create_encoder`.
        width: channels of the pyramid.
        upsamplers: three modules ``up(x, guide=None, *, size=None)``, coarse to fine.
    """

    def __init__(
        self,
        encoder: Encoder | EfficientNetEncoder | FrozenEncoder,
        width: int,
        upsamplers: Sequence[nn.Module],
    ) -> None:
        super().__init__()
        self.out_channels = width  # the name under which torchvision looks for it
        self.encoder = encoder
        self.pyramid = FeaturePyramidNetwork(list(encoder.channels), width)
        install(self.pyramid, dict(enumerate(upsamplers)))

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """The maps, finest first."""
        maps: dict[str, Tensor] = self.pyramid(OrderedDict(zip(LEVELS, self.encoder(images))))
        return maps


def build_detector(
    kind: Literal["detection", "instance", "panoptic"],
    upsampler: str,
    options: dict[str, Any],
    about: dict[str, Any],
    settings: PyramidSettings,
    seed: int,
) -> FasterRCNN:
    """A Faster R-CNN, Mask R-CNN or Panoptic FPN for images of one size, taken as they are.

    Args:
        kind: which of the three.
        upsampler: registered name.
        options: given to `create_upsampler`.
        about: the data: `height`, `width`, `classes` and those of them that are `things`.
        settings: of the run.
        seed: of the run.

    Raises:
        ValueError, TypeError: an unknown upsampler, or options that it does not take.
        FileNotFoundError, ValueError, ModuleNotFoundError: as `create_encoder`.
    """
    width, things = settings.width, len(about["things"])
    assert width is not None
    upsamplers = create_upsamplers(UPSAMPLERS, width, upsampler, options, seed)
    with seeded(seed, "model"):
        backbone = PyramidEncoder(create_encoder(settings), width, upsamplers)
        common = detector_options(width, things, (about["height"], about["width"]))
        model: FasterRCNN
        if kind == "detection":
            model = FasterRCNN(backbone, **common)
        elif kind == "instance":
            model = MaskRCNN(backbone, **common, **mask_options(width, things))
        else:
            branch = SemanticBranch(width, len(about["classes"]) - things + 1, len(LEVELS), width)
            model = PanopticFPN(backbone, branch, **common, **mask_options(width, things))
    return model.to(memory_format=torch.channels_last)


def detector_options(width: int, classes: int, size: tuple[int, int]) -> dict[str, Any]:
    """Return torchvision's options; its defaults are for 91 classes and 800 pixels."""
    hidden = 128
    return {
        "min_size": min(size),
        "max_size": max(size),
        "size_divisible": 1,
        "image_mean": (0.5, 0.5, 0.5),
        "image_std": (0.5, 0.5, 0.5),
        "rpn_anchor_generator": AnchorGenerator(
            sizes=tuple((4 * stride,) for stride in STRIDES),
            # Poles are tall.
            aspect_ratios=((0.5, 1.0, 2.0, 4.0),) * len(STRIDES),
        ),
        "rpn_pre_nms_top_n_train": 200,
        "rpn_pre_nms_top_n_test": 200,
        "rpn_post_nms_top_n_train": 200,
        "rpn_post_nms_top_n_test": 100,
        "rpn_batch_size_per_image": 128,
        "box_roi_pool": MultiScaleRoIAlign(list(LEVELS), 7, 2),
        "box_head": TwoMLPHead(width * 7 * 7, hidden),
        "box_predictor": FastRCNNPredictor(hidden, classes + 1),
        "box_batch_size_per_image": 64,
        "box_detections_per_img": 50,
    }


def mask_options(width: int, classes: int) -> dict[str, Any]:
    """The mask branch: two convolutions instead of four."""
    return {
        "mask_roi_pool": MultiScaleRoIAlign(list(LEVELS), 14, 2),
        "mask_head": MaskRCNNHeads(width, (width, width), 1),
        "mask_predictor": MaskRCNNPredictor(width, width, classes + 1),
    }
