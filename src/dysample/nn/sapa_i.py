"""SAPA-I: similarity-aware point affiliation by plain inner products."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor

from dysample import functional
from dysample.checks import check_choice, check_odd, check_same_channels
from dysample.nn.base import Guided, Inspection
from dysample.nn.weights import channels_read


class SAPAI(Guided):
    """SAPA without parameters: the guide itself is the query, the features are the keys.

    The inner product of the two over all channels, softmaxed over a k x k window, sums the low-res
    neighbours. Both features must already live in one space, as after the lateral convolutions of a
    feature pyramid.

        kernel[t] = softmax over t of <guide, x at neighbour t>

    Args:
        in_channels: C.
        scale_factor: output size over input size, used by `macs` alone: the guide's size counts.
        norm: "layer" normalises both over the channels of each pixel first, without parameters;
            None takes them as they are.
        up_kernel: k, odd.
        guide_channels: must equal in_channels.
        out_channels: see `Upsampler`.

    Known deviation: no code of SAPA-I was published. Parameters and cost are those of the paper;
    whether the features were normalised is unknown, hence the option.

    Source: Lu et al., "SAPA: Similarity-Aware Point Affiliation for Feature Upsampling",
    NeurIPS 2022 [lu2022sapa].
    """

    def __init__(
        self,
        in_channels: int,
        scale_factor: float = 2,
        *,
        norm: str | None = None,
        up_kernel: int = 5,
        guide_channels: int | None = None,
        out_channels: int | None = None,
    ) -> None:
        super().__init__(
            in_channels, scale_factor, guide_channels=guide_channels, out_channels=out_channels
        )
        if self.guide_channels != in_channels:
            raise ValueError(
                f"`guide_channels` (={self.guide_channels}) must equal in_channels"
                f" (={in_channels}): SAPA-I multiplies guide and features channel by channel"
            )
        self.norm = norm if norm is None else check_choice("norm", norm, ("layer",))
        self.up_kernel = check_odd("up_kernel", up_kernel)
        self.project = self.projection()

    def _reads_of_x(self) -> int | None:
        return channels_read(self._modules.get("project"))

    def _reads_of_guide(self) -> int | None:
        return None

    def upsample(self, x: Tensor, guide: Tensor, size: tuple[int, int]) -> Tensor:
        """See `Upsampler.upsample`."""
        query, key = self._query_and_key(x, guide)
        return functional.sapa(self.project(x), query, key, kernel=self.up_kernel)

    def kernels(self, x: Tensor, guide: Tensor) -> Tensor:
        """Kernels (B, 1, k^2, H', W') as `dysample.functional.reassemble` takes them."""
        return functional.affinity(*self._query_and_key(x, guide), self.up_kernel).softmax(dim=2)

    def _inspect(self, x: Tensor, guide: Any, size: tuple[int, int] | None) -> Inspection:
        return Inspection(self.project(x), kernels=self.kernels(x, guide))

    def _query_and_key(self, x: Tensor, guide: Tensor) -> tuple[Tensor, Tensor]:
        check_same_channels("guide", guide, x)
        return (guide, x) if self.norm is None else (_normalised(guide), _normalised(x))

    def macs(self, height: int, width: int, size: tuple[int, int] | None = None) -> int:
        """Count k^2 products for each element of the guide and of the output."""
        products = self.up_kernel**2 * (self.in_channels + self.out_channels)
        return self.projection_macs(height, width) + products * self.out_pixels(height, width, size)

    def extra_repr(self) -> str:
        """Return channels, scale and variant, as `print(model)` shows them."""
        return super().extra_repr() + f", norm={self.norm!r}"


def _normalised(x: Tensor) -> Tensor:
    return F.layer_norm(x.movedim(1, -1), x.shape[1:2]).movedim(-1, 1)
