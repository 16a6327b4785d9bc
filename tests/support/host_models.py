"""Small models of other libraries, with random weights. The libraries are imported when built."""

from __future__ import annotations

import importlib
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn


def faster_rcnn() -> nn.Module:
    from torchvision.models.detection import FasterRCNN
    from torchvision.models.detection.backbone_utils import resnet_fpn_backbone

    backbone = resnet_fpn_backbone(
        backbone_name="resnet18", weights=None, norm_layer=nn.BatchNorm2d
    )
    return FasterRCNN(backbone, 5, min_size=64, max_size=96, box_score_thresh=0.0)


def settled(model: nn.Module) -> nn.Module:
    """Normalised by statistics of its own features, which fade away in deep random networks."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # the average of what was seen
    with torch.no_grad():
        model.train()(torch.rand(2, 3, 64, 96))
    return model


def deeplab() -> nn.Module:
    from torchvision.models.segmentation import deeplabv3_mobilenet_v3_large

    return settled(deeplabv3_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=8))


def lraspp() -> nn.Module:
    from torchvision.models.segmentation import lraspp_mobilenet_v3_large

    return settled(lraspp_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=8))


def smp(name: str, **options: Any) -> nn.Module:
    library = importlib.import_module("segmentation_models_pytorch")
    return getattr(library, name)("resnet18", encoder_weights=None, classes=8, **options)


class UNet(nn.Module):
    """A decoder as many write it, on features of timm."""

    def __init__(self) -> None:
        super().__init__()
        import timm

        self.encoder = timm.create_model("resnet18", pretrained=False, features_only=True)
        channels = self.encoder.feature_info.channels()
        self.up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)  # for all steps
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Conv2d(coarse + fine, fine, 3, padding=1), nn.ReLU())
            for coarse, fine in zip(channels[:0:-1], channels[-2::-1])
        )
        self.head = nn.Conv2d(channels[0], 8, 1)

    def forward(self, images: Tensor) -> Tensor:
        *finer, x = self.encoder(images)
        for block, skip in zip(self.blocks, reversed(finer)):
            x = block(torch.cat([self.up(x), skip], dim=1))
        return self.up(self.head(x))


def row(c_in: int, c_out: int, stride: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(c_in, c_out, 3, stride, padding=1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(c_out), nn.SiLU())


class Yolo(nn.Module):
    """Rows of modules, each with the numbers of those that it reads, as the YOLO family has it."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = nn.ModuleList(
            [
                row(3, 8, 2),
                row(8, 16, 2),
                row(16, 32, 2),
                nn.Upsample(None, 2, "nearest"),
                row(48, 16),
                nn.Upsample(None, 2, "nearest"),
                row(24, 8),
                nn.Conv2d(8, 12, 1),
            ]
        )
        self.reads = [[-1], [-1], [-1], [-1], [-1, 1], [-1], [-1, 0], [-1]]

    def forward(self, x: Tensor) -> Tensor:
        outputs = [x]
        for layer, reads in zip(self.rows, self.reads):
            given = [outputs[-1] if i < 0 else outputs[i + 1] for i in reads]
            outputs.append(layer(torch.cat(given, dim=1)))
        return outputs[-1]


SIZES = {"hidden_sizes": [8, 16, 24, 32], "depths": [1] * 4}
STAGES = {"out_features": ["stage1", "stage2", "stage3", "stage4"]}
DINO = {"hidden_size": 32, "num_hidden_layers": 4, "num_attention_heads": 2, "image_size": 64}
PATCHES = {"patch_size": 16, "neck_hidden_sizes": [8, 16, 24, 32], "fusion_hidden_size": 16}


def transformer(model: str, config: str, **options: Any) -> nn.Module:
    """A model of transformers; an option in a pair is a configuration, by the name of its class."""
    library = importlib.import_module("transformers")
    options = {
        name: getattr(library, value[0])(**value[1]) if isinstance(value, tuple) else value
        for name, value in options.items()
    }
    return getattr(library, model)(getattr(library, config)(**options))


HEADS = {"num_attention_heads": [1, 1, 2, 2]}
SWIN = ("SwinConfig", {"embed_dim": 8, "depths": [1] * 4, "num_heads": [1, 1, 2, 2], **STAGES})
DETR = {"d_model": 32, "decoder_layers": 1, "decoder_attention_heads": 2, "decoder_ffn_dim": 32}

segformer = partial(
    transformer, "SegformerForSemanticSegmentation", "SegformerConfig",
    **SIZES, **HEADS, decoder_hidden_size=32, num_labels=8,
)  # fmt: skip
glpn = partial(
    transformer, "GLPNForDepthEstimation", "GLPNConfig", **SIZES, **HEADS, decoder_hidden_size=16
)
upernet = partial(
    transformer, "UperNetForSemanticSegmentation", "UperNetConfig",
    backbone_config=("ConvNextConfig", {**SIZES, **STAGES}),
    hidden_size=32, auxiliary_in_channels=24, auxiliary_channels=16, num_labels=8,
)  # fmt: skip
dpt = partial(
    transformer, "DPTForDepthEstimation", "DPTConfig",
    **DINO, **PATCHES, intermediate_size=64, backbone_out_indices=[0, 1, 2, 3],
)  # fmt: skip
depth_anything = partial(
    transformer, "DepthAnythingForDepthEstimation", "DepthAnythingConfig",
    backbone_config=(
        "Dinov2Config", {**DINO, **STAGES, "patch_size": 16, "reshape_hidden_states": False},
    ),
    **PATCHES, reassemble_hidden_size=32, head_hidden_size=8,
)  # fmt: skip
maskformer = partial(
    transformer, "MaskFormerForInstanceSegmentation", "MaskFormerConfig",
    backbone_config=SWIN, decoder_config=("DetrConfig", {**DETR, "num_queries": 5}),
    fpn_feature_size=32, mask_feature_size=32, num_labels=8,
)  # fmt: skip
mask2former = partial(
    transformer, "Mask2FormerForUniversalSegmentation", "Mask2FormerConfig",
    backbone_config=SWIN, feature_size=32, mask_feature_size=32, hidden_dim=32,
    encoder_feedforward_dim=32, encoder_layers=1, decoder_layers=2, num_attention_heads=2,
    dim_feedforward=32, num_queries=5, num_labels=8,
)  # fmt: skip
