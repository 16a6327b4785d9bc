"""The head of transformers' UPerNet.

Xiao et al.: Unified Perceptual Parsing for Scene Understanding, ECCV 2018.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from transformers.models.upernet.modeling_upernet import UperNetHead


class UpsamplingUperNetHead(UperNetHead):
    """A `UperNetHead` whose steps have guides.

    Top-down steps are guided by the lateral map that they are added to, those of the outputs to
    the finest size by the finest output.
    """

    upsamplers: nn.ModuleDict

    @staticmethod
    def calls(owner: UperNetHead) -> list[int]:
        """Between levels, then from each level but the finest to its size; coarse to fine."""
        return list(range(2 * len(owner.lateral_convs)))

    @staticmethod
    def guide_channels(owner: UperNetHead, channels: int) -> int:
        """All maps have the same channels."""
        return channels

    def forward(self, encoder_hidden_states: Sequence[Tensor]) -> Tensor:  # type: ignore[override]
        """Maps (B, C_i, H_i, W_i), finest first, to logits at the finest size."""
        ups = iter(self.upsamplers.values())
        laterals = [conv(x) for conv, x in zip(self.lateral_convs, encoder_hidden_states)]
        top = self.psp_forward(encoder_hidden_states)  # type: ignore[no-untyped-call]
        merged = [top]
        for lateral in reversed(laterals):
            merged.insert(0, lateral + next(ups)(merged[0], lateral, size=lateral.shape[-2:]))
        finest, *others = [conv(x) for conv, x in zip(self.fpn_convs, merged)]
        # The pyramid's top has its convolution behind it already.
        climbed = [next(ups)(x, finest, size=finest.shape[-2:]) for x in reversed([*others, top])]
        x = self.fpn_bottleneck(torch.cat([finest, *reversed(climbed)], dim=1))
        logits: Tensor = self.classifier(x)
        return logits
