"""SegFormer-B0 to B5: the encoder of transformers and our decode head.

Xie et al.: SegFormer, NeurIPS 2021.
"""

from typing import Any

from torch import Tensor, nn
from transformers import SegformerConfig, SegformerModel

from dysample.workbench.models.build import create_upsamplers
from dysample.workbench.models.segformer_head import UPSAMPLERS, SegFormerHead, Segmenter
from dysample.workbench.seeds import seeded

DEPTHS = {
    "b0": (2, 2, 2, 2),
    "b1": (2, 2, 2, 2),
    "b2": (3, 4, 6, 3),
    "b3": (3, 4, 18, 3),
    "b4": (3, 8, 27, 3),
    "b5": (3, 6, 40, 3),
}
"""Blocks in each stage of the encoder."""


class MixTransformer(nn.Module):
    """Images (B, 3, H, W) to four maps at strides 4, 8, 16 and 32, finest first.

    Args:
        name: "b0" to "b5".
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.channels = (32, 64, 160, 256) if name == "b0" else (64, 128, 320, 512)
        self.body = SegformerModel(SegformerConfig(depths=DEPTHS[name], hidden_sizes=self.channels))

    def forward(self, images: Tensor) -> list[Tensor]:
        """The four maps."""
        return list(self.body(images, output_hidden_states=True).hidden_states)


def build_segformer(
    name: str, upsampler: str, options: dict[str, Any], classes: int, seed: int
) -> Segmenter:
    """A SegFormer with random weights and six upsamplers; scores have the image's size.

    Args:
        name: "b0" to "b5".
        upsampler: registered name.
        options: given to `create_upsampler`.
        classes: number of classes.
        seed: of the random weights; runs of one seed differ in the upsamplers alone.

    Raises:
        ValueError, TypeError: an unknown size or upsampler, or options that it does not take.
    """
    if name not in DEPTHS:
        raise ValueError(f"`name` (={name!r}) must be one of {', '.join(DEPTHS)}")
    width = 256 if name in ("b0", "b1") else 768
    upsamplers = create_upsamplers(UPSAMPLERS, width, upsampler, options, seed)
    with seeded(seed, "model"):
        encoder = MixTransformer(name)
        head = SegFormerHead(encoder.channels, width, classes, upsamplers, skip=True)
    return Segmenter(encoder, head)
