"""The base classes of the upsamplers: one call signature, one way to give a size, one check."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import prod
from types import NoneType
from typing import Any, ClassVar

from torch import Tensor, nn
from torch.fx import Proxy

from dysample.checks import (
    check_feature,
    check_positive_int,
    check_same_batch,
    check_same_device,
    check_size,
    is_int,
)
from dysample.geometry import ceil_scale, scaled_size
from dysample.nn.script import scriptable
from dysample.nn.weights import channels_made, is_untouched, without_weights
from dysample.numeric import check_number
from dysample.proxies import module_node, proxy_in


@dataclass(frozen=True)
class Inspection:
    """What an upsampler reads in a call: points, or kernels over windows of low-res pixels.

    Attributes:
        values: features (B, C, H, W) that are sampled or summed.
        positions: (B, G, P, 2, H', W') of the P points of each group of channels, x then y, in
            low-res pixels whose centres lie at integers.
        weights: (B, G, P, H', W') of the points, of sum 1 over them; None where each group samples
            a single point.
        kernels: (B, G, k^2, H', W') as `dysample.functional.reassemble` takes them.
        gate: share (B, 1, H', W') of the guide in the result.
    """

    values: Tensor
    positions: Tensor | None = None
    weights: Tensor | None = None
    kernels: Tensor | None = None
    gate: Tensor | None = None


class Upsampler(nn.Module, ABC):
    """Base of the upsamplers: `up(x)`, `up(x, size=(H', W'))`, `up(x, guide)`.

    Args:
        in_channels: C, channels of the input. Upsamplers without weights that read it, such as
            `Bilinear`, accept any number; pruned ones accept what their weights read.
        scale_factor: output size over input size, whole or fractional, used when the call gives
            no size.
        out_channels: channels of the output; C if not given. Where the upsampler itself keeps the
            channels, a 1x1 convolution `project` in front of it changes them: at low resolution
            that costs s^2 times less than behind it.

    Shapes
        x (B, C, H, W) -> (B, out_channels, H', W'). H', W' are `size` if given, else those of
        `guide` if given, else floor(H * scale_factor), floor(W * scale_factor). Any H', W' of at
        least 1 is legal. The result has the memory format of x.
    """

    guided: ClassVar[bool] = False
    """Whether the content of `guide` is used; its size always counts."""

    arguments: tuple[tuple[Any, ...], dict[str, Any]]
    """What the module was built with; `dysample.hub` writes it beside the weights."""

    def __new__(cls, *args: Any, **options: Any) -> Upsampler:
        """Record the constructor's arguments, for `dysample.hub`."""
        create: Any = super().__new__
        # Another base class, such as the hub's mixin, may need them too.
        plain = create is object.__new__
        self: Upsampler = create(cls) if plain else create(cls, *args, **options)
        self.arguments = (args, options)
        return self

    def __init__(
        self,
        in_channels: int,
        scale_factor: float = 2,
        *,
        out_channels: int | None = None,
    ) -> None:
        super().__init__()
        if self.guided and not isinstance(self, Guided):
            raise TypeError(f"{type(self).__name__} reads a guide: it must derive from Guided")
        self._in_channels = check_positive_int("in_channels", in_channels)
        self.scale_factor = check_number("scale_factor", scale_factor)
        self.ceil_scale = ceil_scale(scale_factor)
        if out_channels is None:
            out_channels = in_channels
        self._out_channels = check_positive_int("out_channels", out_channels)

    @property
    def in_channels(self) -> int:
        """C, or after pruning the number of channels that the weights read."""
        read = self._reads_of_x()
        return self._in_channels if read is None else read

    @in_channels.setter
    def in_channels(self, value: int) -> None:
        self._in_channels = check_positive_int("in_channels", value)

    @property
    def scale(self) -> int:
        """Deprecated name of `ceil_scale`; it is removed in 0.3."""
        warnings.warn(
            f"{type(self).__name__}.scale is now ceil_scale, as it is `scale_factor` rounded up",
            DeprecationWarning,
            stacklevel=2,
        )
        return self.ceil_scale

    def __dir__(self) -> list[str]:
        """Attributes, without the former name: tracers read each of them, and it would warn."""
        names: list[str] = super().__dir__()  # type: ignore[no-untyped-call]
        return [name for name in names if name != "scale"]

    @property
    def out_channels(self) -> int:
        """Channels of the output, or after pruning the number that the weights produce."""
        project = self._modules.get("project")
        if isinstance(project, nn.Identity):
            return self.in_channels
        made = channels_made(project)
        return self._out_channels if made is None else made

    @property
    def guide_channels(self) -> int | None:
        """Channels that a guide must have; None for unguided upsamplers, which accept any."""
        return None

    def _reads_of_x(self) -> int | None:
        """Channels that weights read of x; None if any number will do.

        Also called while the module is still being built.
        """
        return self._in_channels

    def forward(
        self,
        x: Tensor,
        guide: Tensor | None = None,
        *,
        size: int | tuple[int, int] | None = None,
    ) -> Tensor:
        """Upsample x.

        Args:
            x: features (B, in_channels, H, W).
            guide: a finer feature map (B, any, H', W'). Upsamplers that are not `Guided` take
                only the output size from it.
            size: output (height, width), or one integer for both.

        Raises:
            TypeError, ValueError: naming the argument, the rule and the value.
        """
        proxy = proxy_in(x, guide, size)
        if proxy is not None:
            node: Tensor = self._node(proxy, x, guide, size)
            return node
        check_feature("x", x, self._reads_of_x())
        if not x.is_meta and (lost := without_weights(self)) is not None:
            raise ValueError(f"`{lost}` lies on meta, without numbers, and `x` on {x.device}")
        height, width = x.shape[-2:]
        if size is not None:
            size = check_size(size)
        self._check_guide(x, guide)
        if guide is not None:
            of_guide = (guide.shape[2], guide.shape[3])
            if size is not None and size != of_guide:
                raise ValueError(f"`guide` size (={of_guide}) must equal `size` (={size})")
            size = of_guide
        if size is None:
            size = scaled_size(height, width, self.scale_factor)
            if min(size) < 1:
                raise ValueError(
                    f"`scale_factor` (={self.scale_factor}) must leave at least one pixel of `x`"
                    f" ({height}x{width})"
                )
        return self.upsample(x, guide, size)

    def _check_guide(self, x: Tensor, guide: Tensor | None, channels: int | None = None) -> None:
        if guide is not None:
            sizes = guide if isinstance(guide, (tuple, list)) else (guide,)
            # In a trace lengths are tensors too.
            if all(is_int(n) and not isinstance(n, Tensor) for n in sizes):
                raise TypeError(
                    f"`guide` must be a tensor, not {type(guide).__name__}: an output size is given"
                    " by name, `size=`"
                )
            check_feature("guide", guide, channels)
            check_same_batch("guide", guide, x)

    def _node(self, proxy: Proxy, x: Any, guide: Any, size: Any) -> Any:
        """Record a call as one torch.fx node, whatever the tracer."""
        if not is_untouched(self):
            raise ValueError(
                f"{type(self).__name__} has hooks or a `forward` of its own, which would run when"
                " torch.fx traces and again in the graph: remove them first"
            )
        args = (x,) if guide is None else (x, guide)
        return module_node(self, proxy, args, {} if size is None else {"size": size})

    def __prepare_scriptable__(self) -> nn.Module:
        """Return the module that `torch.jit.script` compiles instead, see `dysample.nn.script`."""
        return scriptable(self, self.in_channels, self.guide_channels, self.scale_factor)

    @abstractmethod
    def upsample(self, x: Tensor, guide: Any, size: tuple[int, int]) -> Tensor:
        """Upsample checked features to a checked size.

        Args:
            x: features (B, in_channels, H, W).
            guide: for `Guided` upsamplers a tensor (B, guide_channels, H', W'); for others whatever
                was given, or None.
            size: (H', W').
        """

    def inspect(
        self, x: Tensor, guide: Tensor | None = None, size: tuple[int, int] | None = None
    ) -> Inspection:
        """Return what `forward` reads with these arguments, as far as the upsampler predicts it.

        Args:
            x: features (B, in_channels, H, W).
            guide: a finer feature map (B, any, H', W').
            size: (H', W'); by default that of the guide, or that of `scale_factor` without one.

        Raises:
            TypeError, ValueError: a guide that `forward` refuses.
        """
        self._check_guide(x, guide)
        return self._inspect(x, guide, size)

    def _inspect(self, x: Tensor, guide: Any, size: tuple[int, int] | None) -> Inspection:
        project = self._modules.get("project")
        return Inspection(values=x if project is None else project(x))

    @abstractmethod
    def macs(self, height: int, width: int, size: tuple[int, int] | None = None) -> int:
        """Return the multiply-adds for one image, by formula.

        Args:
            height: of the low-res features, in pixels.
            width: of the low-res features, in pixels.
            size: (height, width) of the output; by default that of `scale_factor`.
        """

    def projection(self) -> nn.Module:
        """Return a 1x1 convolution from in_channels to out_channels; an identity if equal."""
        if self._out_channels == self._in_channels:
            return nn.Identity()
        return nn.Conv2d(self._in_channels, self._out_channels, 1)

    def projection_macs(self, height: int, width: int) -> int:
        """Return the multiply-adds of `project`."""
        if isinstance(self._modules.get("project"), (nn.Identity, NoneType)):
            return 0
        return self.in_channels * self.out_channels * height * width

    def out_size(self, height: int, width: int, size: tuple[int, int] | None) -> tuple[int, int]:
        """Return (height, width) of the output: `size`, or that of `scale_factor` if it is None."""
        return scaled_size(height, width, self.scale_factor) if size is None else size

    def out_pixels(self, height: int, width: int, size: tuple[int, int] | None) -> int:
        """Return the number of output pixels of one image."""
        return prod(self.out_size(height, width, size))

    def extra_repr(self) -> str:
        """Return channels and scale, as `print(model)` shows them."""
        channels = f"{self.in_channels}"
        if self.out_channels != self.in_channels:
            channels += f" -> {self.out_channels}"
        return f"{channels}, scale_factor={self.scale_factor:g}"


class Guided(Upsampler):
    """Base of the upsamplers that read a finer feature map: `up(x, guide)`.

    Args:
        in_channels, scale_factor, out_channels: see `Upsampler`.
        guide_channels: channels of the guide; C if not given.
    """

    guided = True

    def __init__(
        self,
        in_channels: int,
        scale_factor: float = 2,
        *,
        out_channels: int | None = None,
        guide_channels: int | None = None,
    ) -> None:
        super().__init__(in_channels, scale_factor, out_channels=out_channels)
        if guide_channels is None:
            guide_channels = in_channels
        self._guide_channels = check_positive_int("guide_channels", guide_channels)

    @property
    def guide_channels(self) -> int:
        """Channels that a guide must have, or after pruning the number that the weights read."""
        read = self._reads_of_guide()
        return self._guide_channels if read is None else read

    def _reads_of_guide(self) -> int | None:
        """Channels that weights read of the guide; None if any number will do."""
        return self._guide_channels

    def _check_guide(self, x: Tensor, guide: Tensor | None, channels: int | None = None) -> None:
        if guide is None:
            raise ValueError(
                f"`guide` must be given: {type(self).__name__} reads a finer feature map"
                f" (B, {self.guide_channels}, H', W'), such as the encoder's"
            )
        super()._check_guide(x, guide, self._reads_of_guide())
        check_same_device("guide", guide, x)

    @abstractmethod
    def upsample(self, x: Tensor, guide: Tensor, size: tuple[int, int]) -> Tensor:
        """See `Upsampler.upsample`."""
