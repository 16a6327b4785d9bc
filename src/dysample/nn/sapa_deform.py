"""SAPA-D: similarity-aware point affiliation with predicted points."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from dysample import functional, ops
from dysample.checks import check_bool, check_choice, check_divides, check_positive_int
from dysample.geometry import pixel_shuffle, read_nearest, sampling_positions
from dysample.layout import compute_dtype
from dysample.nn.base import Guided, Inspection
from dysample.nn.pointwise import group_norm
from dysample.nn.weights import channels_read


class SAPADeform(Guided):
    """SAPA whose neighbours are not a window but P points predicted from the features.

    Offsets from the low-res pixel are predicted for each output pixel, point and group of
    channels; keys and features are sampled there. The softmax over the points of the inner
    products of the guide's query with the sampled keys sums the sampled features.

        out = sum over p of softmax over p of <q(guide), k(x) at point p> * x at point p

    Args:
        in_channels: C.
        scale_factor: offsets are predicted for the next whole number s of sub-pixels an axis, and
            at sizes other than s times the input's each output pixel takes the nearest of them.
        points: P.
        groups: G groups of channels with points of their own; divides out_channels.
        embedding: channels of query and keys in each group.
        high_offset: predict offsets for every sub-pixel; otherwise for low-res pixels, and the
            sub-pixels of each share them.
        norm: "group" normalises guide and features in 32 groups of channels before the linear
            layers; None does not.
        bias: whether the linear layers have biases.
        guide_channels, out_channels: see `Upsampler`.

    State: `q`, `k` (G E, C, 1, 1), `offset` (2 G P s^2, C, 1, 1), all with `weight` and `bias`;
    with a norm `norm_y` and `norm_x`. Initialised to N(0, 0.02^2), biases to 0.

    Known deviation: none in the values. The published operator runs on CUDA alone.

    Source: Liu et al., "On Point Affiliation in Feature Upsampling", 2023 [liu2023affiliation].
    """

    def __init__(
        self,
        in_channels: int,
        scale_factor: float = 2,
        *,
        points: int = 9,
        groups: int = 4,
        embedding: int = 32,
        high_offset: bool = True,
        norm: str | None = None,
        bias: bool = True,
        guide_channels: int | None = None,
        out_channels: int | None = None,
    ) -> None:
        super().__init__(
            in_channels, scale_factor, guide_channels=guide_channels, out_channels=out_channels
        )
        self.points = check_positive_int("points", points)
        self.groups = check_positive_int("groups", groups)
        self.embedding = check_positive_int("embedding", embedding)
        check_divides("groups", groups, "out_channels", self.out_channels)
        self.high_offset = check_bool("high_offset", high_offset)
        self.norm = norm if norm is None else check_choice("norm", norm, ("group",))
        check_bool("bias", bias)
        of_guide = self._guide_channels
        self.norm_y = self._norm("guide_channels", of_guide)
        self.norm_x = self._norm("in_channels", in_channels)
        self.q = nn.Conv2d(of_guide, groups * embedding, 1, bias=bias)
        self.k = nn.Conv2d(in_channels, groups * embedding, 1, bias=bias)
        planes = 2 * groups * points * self._sub_pixels**2
        self.offset = nn.Conv2d(in_channels, planes, 1, bias=bias)
        self.project = self.projection()
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Weights N(0, 0.02^2), biases 0, norms as they come."""
        for conv in (self.q, self.k, self.offset):
            nn.init.normal_(conv.weight, std=0.02)
            if conv.bias is not None:
                nn.init.zeros_(conv.bias)
        for norm in (self.norm_y, self.norm_x):
            if isinstance(norm, nn.GroupNorm):
                norm.reset_parameters()

    def _reads_of_x(self) -> int | None:
        return channels_read(self._modules.get("k"))

    def _reads_of_guide(self) -> int | None:
        return channels_read(self._modules.get("q"))

    def upsample(self, x: Tensor, guide: Tensor, size: tuple[int, int]) -> Tensor:
        """See `Upsampler.upsample`."""
        fields = self._query_key_and_offset(x, guide)
        return functional.sapa_deform(
            self.project(x), *fields, self._sub_pixels, groups=self.groups
        )

    def attention(self, x: Tensor, guide: Tensor) -> tuple[Tensor, Tensor]:
        """Return where `forward` samples, and the weight of each sample.

        Returns:
            Positions (B, G, P, 2, H', W'), x then y, in low-res pixels whose centres lie at
            integers; weights (B, G, P, H', W'), of sum 1 over the points.
        """
        query, key, field = self._query_key_and_offset(x, guide)
        values, s = self.project(x), self._sub_pixels
        _, weights = ops.point_attention(values, query, key, field, s, self.groups)
        offset = read_nearest(pixel_shuffle(field, s), (guide.shape[2], guide.shape[3]))
        B, planes, Y, X = offset.shape
        # `sampling_positions` takes all x, then all y.
        by_axis = offset.reshape(B, planes // 2, 2, Y, X).transpose(1, 2).flatten(1, 2)
        size = (x.shape[2], x.shape[3])
        positions = sampling_positions(by_axis, size, "nearest", compute_dtype(x))
        points = (B, self.groups, self.points)
        return positions.reshape(*points, 2, Y, X), weights.reshape(*points, Y, X)

    def _inspect(self, x: Tensor, guide: Any, size: tuple[int, int] | None) -> Inspection:
        positions, weights = self.attention(x, guide)
        return Inspection(self.project(x), positions, weights)

    @property
    def _sub_pixels(self) -> int:
        """The number of sub-pixels along an axis that have their own offsets."""
        return self.ceil_scale if self.high_offset else 1

    def _query_key_and_offset(self, x: Tensor, guide: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        normal = self.norm_x(x)
        return self.q(self.norm_y(guide)), self.k(normal), self.offset(normal)

    def macs(self, height: int, width: int, size: tuple[int, int] | None = None) -> int:
        """Count linear layers, 4 for each bilinear sample, and 1 for each product of it."""
        low, high = height * width, self.out_pixels(height, width, size)
        of_guide = self.guide_channels
        linear = high * of_guide * self.q.out_channels
        linear += low * self.in_channels * (self.k.out_channels + self.offset.out_channels)
        sampled = high * self.points * (self.k.out_channels + self.out_channels)
        return self.projection_macs(height, width) + linear + 5 * sampled

    def extra_repr(self) -> str:
        """Return channels, scale and variant, as `print(model)` shows them."""
        return super().extra_repr() + f", points={self.points}, groups={self.groups}"

    def _norm(self, name: str, channels: int) -> nn.Module:
        return nn.Identity() if self.norm is None else group_norm(name, channels, "norm=None")
