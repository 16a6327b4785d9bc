"""The head of torchvision's LRASPP.

Howard et al.: Searching for MobileNetV3, ICCV 2019.
"""

from torch import Tensor, nn
from torchvision.models.segmentation.lraspp import LRASPPHead


class UpsamplingLRASPPHead(LRASPPHead):
    """An `LRASPPHead` whose step is guided by the finer features of the backbone."""

    upsamplers: nn.ModuleDict

    @staticmethod
    def calls(owner: LRASPPHead) -> list[int]:
        """Return the only call."""
        return [0]

    @staticmethod
    def guide_channels(owner: LRASPPHead, channels: int) -> int:
        """Return the channels that the classifier of the finer features reads."""
        finer: nn.Conv2d = owner.low_classifier
        return finer.in_channels

    def forward(self, input: dict[str, Tensor]) -> Tensor:
        """Maps "low" (B, C_low, H', W') and "high" (B, C, H, W) to logits (B, classes, H', W')."""
        low, high = input["low"], input["high"]
        climbed = self.upsamplers["0"](self.cbr(high) * self.scale(high), low)
        logits: Tensor = self.low_classifier(low) + self.high_classifier(climbed)
        return logits
