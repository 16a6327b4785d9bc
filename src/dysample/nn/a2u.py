"""A2U: affinity-aware upsampling."""

from __future__ import annotations

from functools import reduce
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dysample import functional
from dysample.checks import check_odd
from dysample.fixed import channel_sum, cut, fixed
from dysample.geometry import cropped, pad_to_even, pixel_shuffle
from dysample.layout import compute_dtype
from dysample.nn.base import Guided, Inspection
from dysample.nn.pointwise import GROUPS, GroupNorm
from dysample.nn.weights import channels_read

_WINDOW = 6  # pixels a side of the two predicted filters


class A2U(Guided):
    """Reassembles with kernels made from second-order affinities within the guide.

    Two 6x6 filters, pooled from the guide itself, each reduce all its channels to half the size;
    the inner product of the two results over the channels is an affinity map m. Its outer product
    with a vector p, predicted from the guide's mean, holds the logits of a k x k kernel for every
    pixel of the guide.

        m = sum over c of A_c * B_c / sqrt(C'),  A = leaky(norm(guide * U)),  B likewise with V
        kernels = softmax(sigmoid(shuffle(p (outer) m))),  out = reassemble(x, kernels)

    Args:
        in_channels: C.
        scale_factor: used by `macs` alone; the guide sets the size of the output, which may be any.
        guide_channels: C', channels of the guide, a multiple of 32; C if not given.
        out_channels: see `Upsampler`.
        up_kernel: k, odd.

    State: under `kernel_gen.`: `bnu.0`, `bnv.0` (norms), `bconv_UP.1` (p), `bconv_U.1`,
    `bconv_V.1`, a weight and a bias each. Checkpoints of the published `A2UUpRaw` load too: their
    `bconv_DP`, which nothing reads, is dropped. Initialised as PyTorch does.

    Known deviation: the published code needs an even guide of twice the size; here the last row and
    column of an odd guide are repeated, and any size works.

    Source: Dai et al., "Learning Affinity-Aware Upsampling for Deep Image Matting", CVPR 2021
    [dai2021a2u].
    """

    def __init__(
        self,
        in_channels: int,
        scale_factor: float = 2,
        *,
        guide_channels: int | None = None,
        out_channels: int | None = None,
        up_kernel: int = 3,
    ) -> None:
        super().__init__(
            in_channels, scale_factor, guide_channels=guide_channels, out_channels=out_channels
        )
        guide_channels = self._guide_channels
        if guide_channels % GROUPS != 0:
            raise ValueError(
                f"`guide_channels` (={guide_channels}) must be a multiple of {GROUPS}:"
                f" they are normalised in {GROUPS} groups"
            )
        self.up_kernel = check_odd("up_kernel", up_kernel)
        self.project = self.projection()
        self.kernel_gen = _KernelGenerator(guide_channels, up_kernel**2)

    def reset_parameters(self) -> None:
        """PyTorch's defaults."""
        for module in self.kernel_gen.modules():
            if isinstance(module, (nn.Conv2d, nn.GroupNorm)):
                module.reset_parameters()

    def kernels(self, x: Tensor, guide: Tensor) -> Tensor:
        """Kernels (B, 1, k^2, H', W') as `dysample.functional.reassemble` takes them.

        They depend only on the guide.
        """
        return self._logits(guide).softmax(dim=2)

    def _logits(self, guide: Tensor) -> Tensor:
        logits: Tensor = self.kernel_gen(pad_to_even(guide))
        return cropped(logits, (guide.shape[2], guide.shape[3])).unsqueeze(1)

    def _reads_of_x(self) -> int | None:
        return channels_read(self._modules.get("project"))

    def _reads_of_guide(self) -> int | None:
        return channels_read(self.kernel_gen.bconv_U[1])

    def upsample(self, x: Tensor, guide: Tensor, size: tuple[int, int]) -> Tensor:
        """See `Upsampler.upsample`."""
        return functional.reassemble(self.project(x), self._logits(guide), softmax=True)

    def _inspect(self, x: Tensor, guide: Any, size: tuple[int, int] | None) -> Inspection:
        return Inspection(self.project(x), kernels=self.kernels(x, guide))

    def macs(self, height: int, width: int, size: tuple[int, int] | None = None) -> int:
        """Two filters and their inner product a 2x2 block of the guide, k^2 taps an output element.

        As in the literature without the 1x1 convolutions of the pooled guide, whose cost does not
        grow with the map.
        """
        out_height, out_width = self.out_size(height, width, size)
        blocks = ((out_height + 1) // 2) * ((out_width + 1) // 2)
        affinity = (2 * _WINDOW**2 + 1) * self.guide_channels * blocks
        taps = self.up_kernel**2 * self.out_channels * out_height * out_width
        return self.projection_macs(height, width) + affinity + taps

    def extra_repr(self) -> str:
        """Channels, scale and kernel, as `print(model)` shows them."""
        return super().extra_repr() + f", up_kernel={self.up_kernel}"

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        """Drop the weights that `A2UUpRaw` stores and never reads."""
        for name in ("weight", "bias"):
            state_dict.pop(f"{prefix}kernel_gen.bconv_DP.1.{name}", None)
        super()._load_from_state_dict(state_dict, prefix, *args)


class _KernelGenerator(nn.Module):
    """Logits (B, taps, H', W'), within 0..1, from a guide of that size, both even."""

    def __init__(self, channels: int, taps: int) -> None:
        super().__init__()
        self.bnu = nn.Sequential(GroupNorm(GROUPS, channels), nn.LeakyReLU())
        self.bnv = nn.Sequential(GroupNorm(GROUPS, channels), nn.LeakyReLU())
        self.bconv_UP = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, 4 * taps, 1))
        self.bconv_U = nn.Sequential(_Windows(_WINDOW), nn.Conv2d(channels, 1, 1))
        self.bconv_V = nn.Sequential(_Windows(_WINDOW), nn.Conv2d(channels, 1, 1))

    def forward(self, guide: Tensor) -> Tensor:
        dtype = compute_dtype(guide)
        vector: Tensor = self.bconv_UP(guide)
        logits = vector.to(dtype) * self.affinity(guide)
        return pixel_shuffle(logits, 2).sigmoid()

    def affinity(self, guide: Tensor) -> Tensor:
        """Return m, (B, 1, H' / 2, W' / 2)."""
        B = guide.shape[0]
        if B == 0:  # a convolution needs at least one group
            return guide[:, :1, ::2, ::2]
        filters = torch.cat((self.bconv_U(guide), self.bconv_V(guide)), dim=1)
        # Exporters make the number of groups a constant, and here it depends on the batch; some
        # runtimes have no convolution with computed weights.
        summed = shifted if fixed(*guide.shape) or not isinstance(B, int) else convolved
        of_u, of_v = summed(guide, filters)
        u: Tensor = self.bnu(of_u)
        v: Tensor = self.bnv(of_v)
        dtype = compute_dtype(guide)
        total = channel_sum(u.to(dtype) * v.to(dtype))
        affinity: Tensor = total / guide.shape[1] ** 0.5
        return affinity


def convolved(guide: Tensor, filters: Tensor) -> tuple[Tensor, Tensor]:
    """Filter every channel of an image with its two filters (B, 2, 6, 6): two maps of half size."""
    B, C, Y, X = guide.shape
    reduced = F.conv2d(
        guide.reshape(1, B * C, Y, X),
        filters.unsqueeze(1).expand(-1, C, -1, -1, -1).reshape(-1, 1, _WINDOW, _WINDOW),
        stride=2,
        padding=2,
        groups=B * C,
    )
    of_u, of_v = reduced.reshape(B, C, 2, Y // 2, X // 2).unbind(2)
    return of_u, of_v


def shifted(guide: Tensor, filters: Tensor) -> tuple[Tensor, Tensor]:
    """Compute the same as sums of shifted products."""
    Y, X = guide.shape[-2:]
    padded = F.pad(guide, (2, 2, 2, 2))
    of_u, of_v = [], []
    for odd_y in range(2):
        for odd_x in range(2):
            # Every second pixel, as a pooling of size 1: fewer runtimes have strided slices.
            rest = cut(cut(padded, -2, odd_y, Y + 4), -1, odd_x, X + 4)
            rest = F.max_pool2d(rest, 1, 2)
            for dy in range(_WINDOW // 2):
                for dx in range(_WINDOW // 2):
                    near = rest[..., dy : dy + Y // 2, dx : dx + X // 2]
                    v, w = 2 * dy + odd_y, 2 * dx + odd_x
                    of_u.append(near * filters[:, :1, v : v + 1, w : w + 1])
                    of_v.append(near * filters[:, 1:, v : v + 1, w : w + 1])
    return reduce(torch.add, of_u), reduce(torch.add, of_v)


class _Windows(nn.AdaptiveAvgPool2d):
    """Adaptive average pooling that also holds in graphs with symbolic sizes, unlike torch's."""

    def forward(self, input: Tensor) -> Tensor:
        height, width = input.shape[-2:]
        known = isinstance(height, int) and isinstance(width, int)
        # At a fixed size exporters would expand its windows into indices.
        if known and not fixed(height, width):
            return super().forward(input)
        rows = window_averages(height, _WINDOW, input)
        columns = window_averages(width, _WINDOW, input)
        return rows @ input @ columns.t()


def window_averages(length: int, windows: int, like: Tensor) -> Tensor:
    """Return a matrix (windows, length) that averages a line of pixels as adaptive pooling does."""
    pixel = torch.arange(length, device=like.device)
    window = torch.arange(windows, device=like.device).unsqueeze(-1)
    first = torch.div(window * length, windows, rounding_mode="floor")
    end = torch.div((window + 1) * length + windows - 1, windows, rounding_mode="floor")
    dtype = compute_dtype(like)
    inside = (pixel >= first).to(dtype) * (pixel < end).to(dtype)
    return (inside / inside.sum(-1, keepdim=True)).to(like.dtype)
