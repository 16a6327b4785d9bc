"""The feature pyramid of torchvision's detectors with its top-down steps exchanged.

Lin et al.: Feature Pyramid Networks for Object Detection, CVPR 2017; wired for upsamplers as in
Wang et al.: CARAFE, ICCV 2019, and Liu et al.: DySample, ICCV 2023.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import cast

from torch import Tensor, nn
from torchvision.ops import FeaturePyramidNetwork


class UpsamplingPyramid(FeaturePyramidNetwork):
    """A `FeaturePyramidNetwork` whose top-down steps are upsamplers; made by `exchange_top_down`.

    Each step brings the coarser map to the size of the next finer lateral map, whatever that size
    is, and adds the two. The lateral is the guide of guided upsamplers.
    """

    upsamplers: nn.ModuleList

    def forward(self, x: dict[str, Tensor]) -> dict[str, Tensor]:
        """Maps (B, C_i, H_i, W_i), finest first, to maps of equal channels, finest first."""
        names, maps = list(x), list(x.values())
        laterals = [block(map_) for block, map_ in zip(self.inner_blocks, maps)]
        merged = [laterals[-1]]
        for up, lateral in zip(self.upsamplers, reversed(laterals[:-1])):
            climbed = up(merged[0], lateral if up.guided else None, size=lateral.shape[-2:])
            merged.insert(0, lateral + climbed)
        results = [block(map_) for block, map_ in zip(self.layer_blocks, merged)]
        if self.extra_blocks is not None:
            results, names = self.extra_blocks(results, maps, names)
        return OrderedDict(zip(names, results))


def exchange_top_down(
    pyramid: FeaturePyramidNetwork, upsamplers: Sequence[nn.Module]
) -> UpsamplingPyramid:
    """Replace the nearest steps of a pyramid, of a stock model or a new one, in place.

    The layers keep their names and values: the weights of the stock model still load, with only
    the upsamplers' missing.

    Args:
        pyramid: of torchvision.
        upsamplers: ``up(x, guide=None, *, size=None)`` for the pyramid's channels, one fewer than
            its levels, from coarse to fine.

    Raises:
        ValueError: another number of upsamplers.
    """
    steps = len(pyramid.inner_blocks) - 1
    if len(upsamplers) != steps:
        raise ValueError(f"`upsamplers` (={len(upsamplers)}) must be {steps} modules")
    pyramid.__class__ = UpsamplingPyramid
    pyramid.upsamplers = nn.ModuleList(upsamplers)
    return cast(UpsamplingPyramid, pyramid)
