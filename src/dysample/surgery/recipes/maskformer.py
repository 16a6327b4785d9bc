"""The pixel decoder of transformers' MaskFormer.

Cheng, Schwing, Kirillov: Per-Pixel Classification is Not All You Need for Semantic Segmentation,
NeurIPS 2021; wired for upsamplers as in Lu et al.: SAPA, NeurIPS 2022.
"""

from torch import Tensor, nn
from transformers.models.maskformer.modeling_maskformer import MaskFormerFPNLayer


class UpsamplingFPNLayer(MaskFormerFPNLayer):
    """A layer of the pixel decoder whose nearest step is an upsampler.

    The lateral map is the guide of guided upsamplers and gives the size.
    """

    upsamplers: nn.ModuleDict

    @staticmethod
    def calls(owner: MaskFormerFPNLayer) -> list[int]:
        """Return the only call."""
        return [0]

    @staticmethod
    def guide_channels(owner: MaskFormerFPNLayer, channels: int) -> int:
        """The lateral is projected to the channels of the decoder."""
        return channels

    def forward(self, down: Tensor, left: Tensor) -> Tensor:
        """Maps (B, C, H, W) and (B, C_left, H', W') to (B, C, H', W')."""
        left = self.proj(left)
        up = self.upsamplers["0"]
        climbed = up(down, left if up.guided else None, size=left.shape[-2:])
        merged: Tensor = self.block(climbed + left)
        return merged
