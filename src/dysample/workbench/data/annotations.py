"""Read annotations in PNG files: an index, a colour or a depth for each pixel."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torchvision.tv_tensors import Mask

from dysample.workbench.boundary import IGNORE
from dysample.workbench.data.dataset import Item
from dysample.workbench.data.images import Size, open_image

# Lossy formats would invent labels, and others are not what the layouts hold.
_FORMATS = ("PNG",)

# Pillow stretches grey values of few bits to 0..255, by these factors; indices of a palette it
# leaves as they are.
_STRETCHED = {"1": 1, "L;2": 85, "L;4": 17, "L": 1, "P;1": 1, "P;2": 1, "P;4": 1, "P": 1}


def read_indices(path: Path, size: Size) -> NDArray[np.uint8]:
    """Read an annotation (H, W) of one stored index per pixel; colours do not matter.

    Args:
        path: PNG file, grey or of a palette, of 1, 2, 4 or 8 bits.
        size: height and width that it must have, those of its image.

    Raises:
        ValueError, FileNotFoundError: the file cannot be read, or has another kind or size.
    """
    with open_image(path, "annotation", _FORMATS) as image:
        factor = _STRETCHED.get(image.info["stored"])
        if factor is None:
            raise ValueError(
                f"annotation {path} must hold one class index of at most 8 bits a pixel, but is"
                f" {_kind(image)}"
            )
        _check_size(path, image, size)
        return np.array(image).astype(np.uint8) // np.uint8(factor)


def read_colours(path: Path, size: Size) -> NDArray[np.uint8]:
    """Read an annotation (H, W, 3) of one RGB colour per pixel; otherwise as `read_indices`."""
    with open_image(path, "annotation", _FORMATS) as image:
        if image.info["stored"] != "RGB":
            raise ValueError(
                f"annotation {path} must be an RGB image of 8 bits a channel, but is {_kind(image)}"
            )
        _check_size(path, image, size)
        return np.array(image)


def read_depth(item: Item, size: Size, unit: float) -> Mask:
    """Read an item's depth (H, W) in metres from a 16-bit grey PNG that counts in `unit` metres.

    Otherwise as `read_indices`.
    """
    path: Path = item.annotation
    with open_image(path, "annotation", _FORMATS) as image:
        if image.info["stored"] != "I;16B":
            raise ValueError(f"annotation {path} must be a 16-bit grey PNG, but is {_kind(image)}")
        _check_size(path, image, size)
        metres = np.asarray(image).astype(np.float32) * np.float32(unit)
        return Mask(torch.from_numpy(metres))


class LabelCode:
    """How a data set encodes classes in 8-bit images.

    Args:
        labels: class index of each value that may occur, `IGNORE` for one that stands for none.
        rule: the values in words, for messages.
    """

    def __init__(self, labels: Mapping[int, int], rule: str) -> None:
        self.rule = rule
        self.legal = np.isin(np.arange(256), list(labels))
        self.table = np.zeros(256, np.uint8)
        for value, label in labels.items():
            self.table[value] = label

    @classmethod
    def plain(cls, count: int, void: Iterable[int] = (IGNORE,), rule: str = "") -> "LabelCode":
        """Return the code of classes 0 to `count` - 1, in which `void` values stand for none."""
        labels = {**{i: i for i in range(count)}, **dict.fromkeys(void, IGNORE)}
        return cls(labels, rule or f"0 to {count - 1}, or 255 for void")

    def read(self, item: Item, size: tuple[int, int]) -> Mask:
        """Read the target of an item whose annotation is a file: (H, W) int64.

        Raises:
            ValueError, FileNotFoundError: a file that cannot be read, of another size than its
                image, or with a value that stands for nothing.
        """
        path: Path = item.annotation
        values = read_indices(path, size)
        wrong = np.bincount(values.ravel(), minlength=256).astype(bool) & ~self.legal
        if wrong.any():
            raise ValueError(
                f"annotation {path} holds label {wrong.argmax()}; labels must be {self.rule}"
            )
        return Mask(torch.from_numpy(self.table[values]).long())


def _kind(image: Image.Image) -> str:
    """Describe the image mode and, if it says more, how the file stores it."""
    stored = image.info["stored"]
    return image.mode if stored in (image.mode, None) else f"{image.mode} (stored as {stored})"


def _check_size(path: Path, image: Image.Image, size: Size) -> None:
    height, width = size
    if (image.height, image.width) == size:
        return
    turned = ""
    if (image.width, image.height) == size:
        turned = "; an orientation that the image may note (EXIF) is not applied"
    raise ValueError(
        f"annotation {path} must be of its image's size {width}x{height}, "
        f"but is {image.width}x{image.height}{turned}"
    )
