"""The feature pyramid of torchvision's detectors.

Lin et al.: Feature Pyramid Networks for Object Detection, CVPR 2017; wired for upsamplers as in
Wang et al.: CARAFE, ICCV 2019, and Liu et al.: DySample, ICCV 2023.
"""

from collections import OrderedDict

from torch import Tensor, nn
from torchvision.ops import FeaturePyramidNetwork


class UpsamplingPyramid(FeaturePyramidNetwork):
    """A `FeaturePyramidNetwork` whose top-down steps, from coarse to fine, are upsamplers.

    Each step brings the coarser map to the size of the next finer lateral map, whatever that size
    is, and adds the two. The lateral is the guide of guided upsamplers.
    """

    upsamplers: nn.ModuleDict

    @staticmethod
    def calls(owner: FeaturePyramidNetwork) -> list[int]:
        """A step between each level and the next."""
        return list(range(len(owner.inner_blocks) - 1))

    @staticmethod
    def guide_channels(owner: FeaturePyramidNetwork, channels: int) -> int:
        """All laterals have the channels of the pyramid."""
        return channels

    def forward(self, x: dict[str, Tensor]) -> dict[str, Tensor]:
        """Maps (B, C_i, H_i, W_i), finest first, to maps of equal channels, finest first."""
        names, maps = list(x), list(x.values())
        laterals = [block(map_) for block, map_ in zip(self.inner_blocks, maps)]
        merged = [laterals[-1]]
        for up, lateral in zip(self.upsamplers.values(), reversed(laterals[:-1])):
            climbed = up(merged[0], lateral if up.guided else None, size=lateral.shape[-2:])
            merged.insert(0, lateral + climbed)
        results = [block(map_) for block, map_ in zip(self.layer_blocks, merged)]
        if self.extra_blocks is not None:
            results, names = self.extra_blocks(results, maps, names)
        return OrderedDict(zip(names, results))
