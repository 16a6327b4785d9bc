"""MaskFormer on Swin: the model of transformers with its pixel decoder's steps exchanged.

Cheng, Schwing, Kirillov: Per-Pixel Classification is Not All You Need for Semantic Segmentation,
NeurIPS 2021; wired for upsamplers as in Lu et al.: SAPA, NeurIPS 2022.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import MaskFormerConfig, MaskFormerForInstanceSegmentation

from dysample.surgery.recipes import install
from dysample.workbench.metrics.boundary import IGNORE
from dysample.workbench.models.build import create_upsamplers
from dysample.workbench.models.encoder import imagenet_colours
from dysample.workbench.models.swin import swin_config
from dysample.workbench.seeds import seeded

STEPS = 3
"""Top-down steps of the pixel decoder."""


class MaskFormerSegmenter(nn.Module):
    """A MaskFormer for semantic segmentation, with losses of its own.

    Args:
        model: of transformers.
    """

    def __init__(self, model: MaskFormerForInstanceSegmentation) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) in -1..1 to scores (B, classes, H, W).

        The paper's semantic inference: masks weighted by the classes of their queries.
        """
        found = self.model(imagenet_colours(images))
        classes = found.class_queries_logits.softmax(dim=-1)[..., :-1]  # without "no object"
        scores = torch.einsum("bqc,bqhw->bchw", classes, found.masks_queries_logits.sigmoid())
        return F.interpolate(scores, size=images.shape[-2:], mode="bilinear", align_corners=False)

    def losses(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """The weighted sum of the losses of the classes and, focal and dice, of the masks.

        Args:
            images: (B, 3, H, W) in -1..1.
            labels: (B, H, W) int64; each class in an image is one mask, `IGNORE` is in none.
        """
        classes = [one[one != IGNORE].unique() for one in labels]
        masks = [(one == present[:, None, None]).float() for one, present in zip(labels, classes)]
        found = self.model(imagenet_colours(images), mask_labels=masks, class_labels=classes)
        return {"mask_classification": found.loss}


def build_maskformer(
    swin: str, upsampler: str, options: dict[str, Any], classes: int, seed: int
) -> MaskFormerForInstanceSegmentation:
    """A MaskFormer with random weights, called as in transformers.

    Without dropout, and with queries of standard deviation 1: from transformers' 0.02 a model
    trained from scratch gives all queries one mask.

    Args:
        swin: "tiny", "small", "base" or "large".
        upsampler: registered name.
        options: given to `create_upsampler`.
        classes: number of classes.
        seed: of the random weights; runs of one seed differ in the upsamplers alone.

    Raises:
        ValueError, TypeError: an unknown size or upsampler, or options that it does not take.
    """
    labels: Any = {"num_labels": classes}
    config = MaskFormerConfig(
        backbone_config=swin_config(swin),
        decoder_config={"model_type": "detr", "dropout": 0.0, "num_queries": 100},
        **labels,
    )
    upsamplers = create_upsamplers(STEPS, config.fpn_feature_size, upsampler, options, seed)
    with seeded(seed, "model"):
        model = MaskFormerForInstanceSegmentation(config)
        nn.init.normal_(model.model.transformer_module.queries_embedder.weight)
    layers = model.model.pixel_level_module.decoder.fpn.layers
    for layer, up in zip(layers, upsamplers):
        install(layer, {0: up})
    return model
