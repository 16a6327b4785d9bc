"""SAPA: similarity-aware point affiliation."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dysample import functional
from dysample.checks import check_bool, check_choice, check_odd, check_positive_int
from dysample.geometry import read_nearest
from dysample.nn.base import Guided, Inspection
from dysample.nn.pointwise import PixelLinear, PixelNorm, group_norm
from dysample.nn.weights import channels_made, channels_read, is_plain

NORMS = ("group", "layer")
QUERIES = ("guide", "gate", "cat")


class SAPA(Guided):
    """Weighs the low-res neighbours of each output pixel by their similarity to the guide there.

    A query is embedded from the guide, keys from the features; the softmax of their inner products
    over a k x k window sums the features. Each output pixel is thus assigned to the neighbours that
    resemble the guide at its position, which keeps edges where the guide has them. The paper's
    variants are (query, norm): SAPA-B ("guide", "group"), in its first release ("guide", "layer"),
    and SAPA-G ("gate", "layer").

        kernel[t] = softmax over t of <q(norm_y(guide)), k(norm_x(x)) at neighbour t>

    Args:
        in_channels: C.
        scale_factor: output size over input size, used by `macs` alone: the guide's size counts.
        query: what the query is made from: "guide"; "gate", a mixture of guide and x by a gate
            predicted from x; "cat", guide and x side by side.
        norm: "group" normalises both features in 32 groups of channels, "layer" over the channels
            of each pixel, None not at all.
        up_kernel: k, odd.
        embedding: channels of query and keys.
        bias: whether the linear layers have biases.
        embed_value: sum v(norm_x(x)), a linear map of the features, instead of x itself.
        guide_channels, out_channels: see `Upsampler`; other out_channels imply embed_value.

    State: `norm_y`, `norm_x` (weight and bias (C,)), `q`, `k`; with the gate `qy`, `qx`, `gate` in
    the place of `q`; `v` where values are embedded. Weights are (out, in, 1, 1), with norm="layer"
    (out, in) as in the first release. Initialised to N(0, 0.02^2), biases to 0, so that the first
    kernels are nearly uniform. Published checkpoints load as they are; one of the other release
    is refused, as its features were normalised in another way.

    Known deviation: embedding is 32 for every variant, as the published costs require, where the
    first release's default is 64. A map with a single value a group is normalised to 0, where the
    published code raises.

    Source: Lu et al., "SAPA: Similarity-Aware Point Affiliation for Feature Upsampling",
    NeurIPS 2022 [lu2022sapa].
    """

    def __init__(
        self,
        in_channels: int,
        scale_factor: float = 2,
        *,
        query: str = "guide",
        norm: str | None = "group",
        up_kernel: int = 5,
        embedding: int = 32,
        bias: bool = True,
        embed_value: bool = False,
        guide_channels: int | None = None,
        out_channels: int | None = None,
    ) -> None:
        super().__init__(
            in_channels, scale_factor, guide_channels=guide_channels, out_channels=out_channels
        )
        self.query = check_choice("query", query, QUERIES)
        self.norm = norm if norm is None else check_choice("norm", norm, NORMS)
        self.up_kernel = check_odd("up_kernel", up_kernel)
        self.embedding = check_positive_int("embedding", embedding)
        check_bool("bias", bias)
        of_guide = self._guide_channels
        self.norm_y = self._norm("guide_channels", of_guide)
        self.norm_x = self._norm("in_channels", in_channels)
        if query == "gate":
            self.qy = self._linear(of_guide, embedding, bias)
            self.qx = self._linear(in_channels, embedding, bias)
            self.gate = self._linear(in_channels, 1, bias)
        else:
            inputs = of_guide if query == "guide" else of_guide + in_channels
            self.q = self._linear(inputs, embedding, bias)
        self.k = self._linear(in_channels, embedding, bias)
        self.v: nn.Module | None = None
        if check_bool("embed_value", embed_value) or self._out_channels != in_channels:
            self.v = self._linear(in_channels, self._out_channels, bias)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Weights N(0, 0.02^2), biases 0, norms as they come."""
        for module in self.children():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, (nn.GroupNorm, nn.LayerNorm)):
                module.reset_parameters()

    def _reads_of_x(self) -> int | None:
        return channels_read(self._modules.get("k"))

    def _reads_of_guide(self) -> int | None:
        if self.query == "gate":
            return channels_read(self._modules.get("qy"))
        both, low = channels_read(self._modules.get("q")), self._reads_of_x()
        return both if both is None or low is None or self.query == "guide" else both - low

    @property
    def out_channels(self) -> int:
        """Channels of the output: those of the embedded values, or those of x."""
        made = channels_made(self._modules.get("v"))
        return self.in_channels if made is None else made

    def upsample(self, x: Tensor, guide: Tensor, size: tuple[int, int]) -> Tensor:
        """See `Upsampler.upsample`."""
        normal = self.norm_x(x)
        query = self._query(x, normal, self.norm_y(guide), size)
        value = x if self.v is None else self.v(normal)
        return functional.sapa(value, query, self.k(normal), kernel=self.up_kernel)

    def kernels(self, x: Tensor, guide: Tensor) -> Tensor:
        """Kernels (B, 1, k^2, H', W') as `dysample.functional.reassemble` takes them."""
        normal = self.norm_x(x)
        size = (guide.shape[2], guide.shape[3])
        query = self._query(x, normal, self.norm_y(guide), size)
        return functional.affinity(query, self.k(normal), self.up_kernel).softmax(dim=2)

    def _inspect(self, x: Tensor, guide: Any, size: tuple[int, int] | None) -> Inspection:
        values = x if self.v is None else self.v(self.norm_x(x))
        return Inspection(values, kernels=self.kernels(x, guide))

    def _query(self, x: Tensor, normal: Tensor, guide: Tensor, size: tuple[int, int]) -> Tensor:
        """Compute queries (B, E, H', W') from x, the normalised x and the normalised guide.

        Terms linear in x are computed at low resolution and upsampled afterwards.
        """
        if self.query == "gate":
            gate = read_nearest(self.gate(normal).sigmoid(), size)
            mixed: Tensor = gate * self.qy(guide) + (1 - gate) * read_nearest(self.qx(x), size)
            return mixed
        if self.query == "guide":
            query: Tensor = self.q(guide)
            return query
        if not is_plain(self.q):
            side_by_side: Tensor = self.q(torch.cat((guide, read_nearest(x, size)), dim=1))
            return side_by_side
        weight = self.q.weight.reshape(-1, guide.shape[1] + x.shape[1], 1, 1)
        high = F.conv2d(guide, weight[:, : guide.shape[1]], self.q.bias)
        return high + read_nearest(F.conv2d(x, weight[:, guide.shape[1] :]), size)

    def macs(self, height: int, width: int, size: tuple[int, int] | None = None) -> int:
        """Count linear layers, gate, and k^2 products for each element of query and output."""
        low, high = height * width, self.out_pixels(height, width, size)
        of_guide = self.guide_channels
        total = (high * of_guide + low * self.in_channels) * self.embedding
        if self.query != "guide":
            total += low * self.in_channels * self.embedding
        if self.query == "gate":
            total += low * self.in_channels + 2 * high * self.embedding
        if self.v is not None:
            total += low * self.in_channels * self.out_channels
        return total + high * self.up_kernel**2 * (self.embedding + self.out_channels)

    def extra_repr(self) -> str:
        """Return channels, scale and variant, as `print(model)` shows them."""
        return super().extra_repr() + f", query={self.query!r}, norm={self.norm!r}"

    def _norm(self, name: str, channels: int) -> nn.Module:
        if self.norm == "group":
            return group_norm(name, channels, "norm='layer'")
        return PixelNorm(channels) if self.norm == "layer" else nn.Identity()

    def _linear(self, inputs: int, outputs: int, bias: bool) -> nn.Conv2d | PixelLinear:
        if self.norm == "layer":
            return PixelLinear(inputs, outputs, bias=bias)
        return nn.Conv2d(inputs, outputs, 1, bias=bias)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        """Tell the two releases apart by their weights: (out, in) first, (out, in, 1, 1) now."""
        error_msgs: list[str] = args[-1]
        for name, module in self.named_children():
            key = f"{prefix}{name}.weight"
            if key not in state_dict or not isinstance(module, (nn.Conv2d, nn.Linear)):
                continue
            axes = state_dict[key].dim()
            if self.norm is None and axes == 2:  # no weight in which the releases differ
                state_dict[key] = state_dict[key][:, :, None, None]
            elif axes in (2, 4) and axes != module.weight.dim():
                release, norm = ("first", "layer") if axes == 2 else ("current", "group")
                error_msgs.append(
                    f"`{key}` ({axes} axes) must have {module.weight.dim()} axes for"
                    f" norm={self.norm!r}: it is of SAPA's {release} release, norm={norm!r}"
                )
        super()._load_from_state_dict(state_dict, prefix, *args)
