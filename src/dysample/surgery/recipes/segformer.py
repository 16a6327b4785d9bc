"""The decode head of transformers' SegFormer.

Xie et al.: SegFormer: Simple and Efficient Design for Semantic Segmentation with Transformers,
NeurIPS 2021.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers.models.segformer.modeling_segformer import SegformerDecodeHead


class UpsamplingDecodeHead(SegformerDecodeHead):
    """A `SegformerDecodeHead` whose steps to the finest stage's size have a guide.

    Each coarser stage climbs there in one step, as in the host. The guide is the projected finest
    stage.
    """

    upsamplers: nn.ModuleDict

    @staticmethod
    def calls(owner: SegformerDecodeHead) -> list[int]:
        """All stages but the finest, which is first and has its size already."""
        return list(range(1, len(owner.linear_projections)))

    @staticmethod
    def guide_channels(owner: SegformerDecodeHead, channels: int) -> int:
        """All stages are projected to the same channels."""
        return channels

    def forward(self, encoder_hidden_states: Sequence[Tensor], **kwargs: Any) -> Tensor:  # type: ignore[override]
        """Maps (B, C_i, H_i, W_i), finest first, to logits at the finest size."""
        projected = [
            self._projected(x, projection)
            for x, projection in zip(encoder_hidden_states, self.linear_projections)
        ]
        finest = projected[0]
        climbed = [
            self.upsamplers[str(call)](x, finest, size=finest.shape[-2:])
            for call, x in enumerate(projected[1:], start=1)
        ]
        x = self.linear_fuse(torch.cat([*reversed(climbed), finest], dim=1))
        x = self.dropout(self.activation(self.batch_norm(x)))
        logits: Tensor = self.classifier(x)
        return logits

    def _projected(self, x: Tensor, projection: nn.Module) -> Tensor:
        if self.config.reshape_last_stage is False and x.ndim == 3:
            side = math.isqrt(x.shape[-1])
            x = x.reshape(x.shape[0], side, side, -1).permute(0, 3, 1, 2)
        tokens: Tensor = projection(x)
        return tokens.transpose(1, 2).reshape(x.shape[0], -1, *x.shape[-2:])
