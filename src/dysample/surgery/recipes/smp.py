"""Decoder blocks of segmentation_models_pytorch: U-Net, FPN, UPerNet."""

from typing import Any

import torch
from segmentation_models_pytorch.decoders.fpn.decoder import FPNBlock
from segmentation_models_pytorch.decoders.unet.decoder import UnetDecoderBlock
from segmentation_models_pytorch.decoders.upernet.decoder import FPNLateralBlock
from torch import Tensor, nn


class UpsamplingUnetBlock(UnetDecoderBlock):
    """A `UnetDecoderBlock` whose step is guided by the skip connection."""

    upsamplers: nn.ModuleDict

    @staticmethod
    def calls(owner: UnetDecoderBlock) -> list[int]:
        """Return the only call."""
        return [0]

    @staticmethod
    def guide_channels(owner: UnetDecoderBlock, channels: int) -> int | None:
        """Return the channels that the first convolution reads beyond the map's, if any."""
        first: Any = owner.conv1[0]
        spare: int = first.in_channels - channels
        return spare or None

    def forward(
        self,
        feature_map: Tensor,
        target_height: int,
        target_width: int,
        skip_connection: Tensor | None = None,
    ) -> Tensor:
        """Maps (B, C, H, W) and (B, C_skip, H', W') to (B, C_out, H', W')."""
        assert skip_connection is not None  # a block without one has no guide channels
        size = (target_height, target_width)
        climbed = self.upsamplers["0"](feature_map, skip_connection, size=size)
        x = self.attention1(torch.cat([climbed, skip_connection], dim=1))
        merged: Tensor = self.attention2(self.conv2(self.conv1(x)))
        return merged


class UpsamplingFPNBlock(FPNBlock):
    """An `FPNBlock` whose step is guided by the projected skip connection."""

    upsamplers: nn.ModuleDict

    @staticmethod
    def calls(owner: FPNBlock) -> list[int]:
        """Return the only call."""
        return [0]

    @staticmethod
    def guide_channels(owner: FPNBlock, channels: int) -> int:
        """The skip connection is projected to the channels of the pyramid."""
        return channels

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """Maps (B, C, H, W) and (B, C_skip, H', W') to (B, C, H', W')."""
        skip = self.skip_conv(skip)
        climbed: Tensor = self.upsamplers["0"](x, skip)
        return climbed + skip


class UpsamplingLateralBlock(FPNLateralBlock):
    """An `FPNLateralBlock` whose step is guided by the projected lateral map."""

    upsamplers: nn.ModuleDict

    @staticmethod
    def calls(owner: FPNLateralBlock) -> list[int]:
        """Return the only call."""
        return [0]

    @staticmethod
    def guide_channels(owner: FPNLateralBlock, channels: int) -> int:
        """The lateral is projected to the channels of the pyramid."""
        return channels

    def forward(self, state_feature: Tensor, lateral_feature: Tensor) -> Tensor:
        """Maps (B, C, H, W) and (B, C_lateral, H', W') to (B, C, H', W')."""
        lateral = self.conv_norm_relu(lateral_feature)
        climbed: Tensor = self.upsamplers["0"](state_feature, lateral)
        merged: Tensor = climbed + lateral
        return merged
