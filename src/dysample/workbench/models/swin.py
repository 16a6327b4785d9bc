"""Swin encoders of transformers, and a depth estimator on one.

Liu et al.: Swin Transformer, ICCV 2021; Li, Chen, Liu, Jiang: DepthFormer, 2022, for the decoder.
"""

from typing import Any

from torch import Tensor, nn
from transformers import SwinBackbone, SwinConfig

from dysample.workbench.models.build import create_upsamplers
from dysample.workbench.models.depth_decoder import UPSAMPLERS, DepthDecoder, DepthEstimator
from dysample.workbench.seeds import seeded

# Channels after the first stage, heads there, blocks of the third stage, window.
_SIZES = {
    "tiny": (96, 3, 6, 7),
    "small": (96, 3, 18, 7),
    "base": (128, 4, 18, 12),
    "large": (192, 6, 18, 12),
}

DEPTH_WIDTH = 256
"""Channels of the depth decoder."""


def swin_config(name: str) -> SwinConfig:
    """The encoder of a size, with all four stages handed out.

    Raises:
        ValueError: an unknown size.
    """
    if name not in _SIZES:
        raise ValueError(f"`swin` (={name!r}) must be one of {', '.join(_SIZES)}")
    channels, heads, blocks, window = _SIZES[name]
    stages: Any = {"out_features": [f"stage{stage}" for stage in range(1, 5)]}
    return SwinConfig(
        embed_dim=channels,
        depths=(2, 2, blocks, 2),
        num_heads=tuple(heads * 2**stage for stage in range(4)),
        window_size=window,
        **stages,
    )


class SwinEncoder(nn.Module):
    """Images (B, 3, H, W) to four maps at strides 4, 8, 16 and 32, finest first.

    Args:
        name: "tiny", "small", "base" or "large".
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.body = SwinBackbone(swin_config(name))
        self.channels: list[int] = self.body.channels

    def forward(self, images: Tensor) -> list[Tensor]:
        """The four maps."""
        return list(self.body(images).feature_maps)


def build_swin_depth(
    swin: str, upsampler: str, options: dict[str, Any], seed: int
) -> DepthEstimator:
    """A depth estimator with random weights: Swin, and a decoder up to half the image's size.

    Known deviation from DepthFormer: all maps have `DEPTH_WIDTH` channels in the decoder, and
    there is no neck between encoder and decoder.

    Args:
        swin: "tiny", "small", "base" or "large".
        upsampler: registered name.
        options: given to `create_upsampler`.
        seed: of the random weights; runs of one seed differ in the upsamplers alone.

    Raises:
        ValueError, TypeError: an unknown size or upsampler, or options that it does not take.
    """
    upsamplers = create_upsamplers(UPSAMPLERS, DEPTH_WIDTH, upsampler, options, seed)
    with seeded(seed, "model"):
        encoder = SwinEncoder(swin)
        stem = nn.Conv2d(3, DEPTH_WIDTH, 7, stride=2, padding=3)
        decoder = DepthDecoder(encoder.channels, stem, DEPTH_WIDTH, upsamplers, skip=True)
    return DepthEstimator(encoder, decoder)
