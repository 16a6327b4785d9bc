"""Transforms from samples on disk to training and evaluation samples, one pipeline per kind.

Images come out as float32 in 0..1, targets as plain tensors. Called with (image, target), after
torchvision's transforms; random numbers are torch's.
"""

from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F
from torchvision.transforms.v2 import query_size
from torchvision.tv_tensors import Image, Mask, wrap

from dysample.workbench.data.targets import VOID, DetectionTarget, Kind
from dysample.workbench.metrics.boundary import IGNORE

SCALES = (0.5, 2.0)
"""Sizes at which training shows an image, as shares of that at which it just fits."""

AS_IS = (1.0, 1.0)

# Padding: ImageNet's mean colour, about 0 after normalisation, and labels of nothing.
_GREY = [124.0, 116.0, 104.0]
_NOTHING = {"semantic": IGNORE, "detection": 0, "instance": 0, "panoptic": VOID, "depth": 0}


def training_transform(kind: Kind, size: tuple[int, int]) -> v2.Compose:
    """Return random scale, crop, flip and colours, for images of exactly `size`.

    At scale 1 an image just fits into `size`, as in large-scale jitter for detection, or for
    semantic labels just covers it, as in the usual recipe for ADE20K. Depth keeps its scale: an
    image twice as large shows things at half the distance.

    Args:
        kind: of the targets.
        size: height and width of the result in pixels.
    """
    fit = Fit(size, AS_IS if kind == "depth" else SCALES, cover=kind == "semantic")
    objects = kind in ("detection", "instance")
    return v2.Compose(
        [
            FitObjects(fit) if objects else fit,
            # Not RandomPhotometricDistort: it swaps channels, which pretrained encoders
            # distinguish.
            v2.ColorJitter(brightness=0.25, contrast=0.5, saturation=0.5, hue=0.05),
            PadTo(size, _NOTHING[kind]),
            v2.RandomCrop(size),
            v2.RandomHorizontalFlip(),
            *_finish(),
            *([KeepTrainable()] if objects else []),
        ]
    )


def evaluation_transform(kind: Kind, size: tuple[int, int] | None = None) -> v2.Compose:
    """Return a transform that keeps the whole image and every object.

    Args:
        kind: of the targets.
        size: height and width into which the image is fitted, and padded on the right or below;
            None leaves it as it is.
    """
    if size is None:
        return v2.Compose(_finish())
    fit = Fit(size, AS_IS)
    scaled = FitObjects(fit) if kind in ("detection", "instance") else fit
    return v2.Compose([scaled, PadTo(size, _NOTHING[kind]), *_finish()])


def _finish() -> list[nn.Module]:
    return [v2.ToDtype({Image: torch.float32, "others": None}, scale=True), v2.ToPureTensor()]


class Fit(v2.Transform):
    """Resize to fit into a size, times a random scale; keeps the aspect.

    torchvision's own resizing of masks reads the pixel at the corner, not at the centre, of each
    new one, and moves labels against the image by up to half a new pixel.

    Args:
        size: height and width in pixels.
        scales: smallest and largest random scale.
        cover: at scale 1 the shorter side fits, so that nothing is left empty.
    """

    def __init__(
        self, size: tuple[int, int], scales: tuple[float, float], cover: bool = False
    ) -> None:
        super().__init__()
        self.size = size
        self.scales = scales
        self.cover = cover

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Return the new height and width."""
        height, width = query_size(flat_inputs)
        scale = float(torch.empty(()).uniform_(*self.scales))
        scale *= (max if self.cover else min)(self.size[0] / height, self.size[1] / width)
        return {"size": [max(1, round(scale * height)), max(1, round(scale * width))]}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Transform one image, mask or set of boxes."""
        if not isinstance(inpt, Mask):
            return F.resize(inpt, params["size"], antialias=True)
        rows, columns = (
            ((torch.arange(new) + 0.5) * old / new).long()
            for old, new in zip(inpt.shape[-2:], params["size"])
        )
        return wrap(inpt.as_subclass(Tensor)[..., rows[:, None], columns], like=inpt)


class PadTo(v2.Transform):
    """Pad on the right and below until the image has at least `size`.

    Args:
        size: height and width in pixels.
        nothing: padding value of masks.
    """

    def __init__(self, size: tuple[int, int], nothing: int) -> None:
        super().__init__()
        self.size = size
        self.nothing = nothing

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Return the padding: left, top, right, bottom."""
        height, width = query_size(flat_inputs)
        right, below = max(0, self.size[1] - width), max(0, self.size[0] - height)
        return {"padding": [0, 0, right, below]}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Transform one image, mask or set of boxes."""
        fill = _GREY if isinstance(inpt, Image) else self.nothing
        return F.pad(inpt, params["padding"], fill=fill)


class FitObjects(nn.Module):
    """`Fit` for objects, whose areas torchvision's transforms do not scale.

    Args:
        fit: resizes image, boxes and masks.
    """

    def __init__(self, fit: Fit) -> None:
        super().__init__()
        self.fit = fit

    def forward(self, image: Image, target: DetectionTarget) -> tuple[Image, DetectionTarget]:
        """Return image and target."""
        resized, target = self.fit(image, target)
        ratio = prod(F.get_size(resized)) / prod(F.get_size(image))
        return resized, {**target, "area": target["area"] * ratio}


class KeepTrainable(nn.Module):
    """Drop crowds and objects smaller than a pixel, and clip boxes to the image."""

    def forward(self, image: Tensor, target: dict[str, Any]) -> tuple[Tensor, dict[str, Any]]:
        """Return image and target as plain tensors."""
        height, width = image.shape[-2:]
        boxes = target["boxes"].clamp(min=0).minimum(torch.tensor([width, height] * 2))
        kept = ((boxes[:, 2:] - boxes[:, :2]) >= 1).all(1) & (target["iscrowd"] == 0)
        if "masks" in target:
            kept &= target["masks"].bool().flatten(1).any(1)
        objects = {
            name: value[kept]
            for name, value in {**target, "boxes": boxes}.items()
            if name != "image_id"
        }
        return image, {**objects, "image_id": target["image_id"]}
