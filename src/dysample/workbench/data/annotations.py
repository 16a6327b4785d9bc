"""Read annotations in PNG files: an index, an object's number, a colour or a depth a pixel."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torchvision.tv_tensors import Mask

from dysample.workbench.data.dataset import Item
from dysample.workbench.data.images import Size, open_image
from dysample.workbench.data.targets import InstanceTarget, objects_of
from dysample.workbench.metrics.boundary import IGNORE

# Lossy formats would invent labels, and others are not what the layouts hold.
_FORMATS = ("PNG",)

# Pillow stretches grey values of few bits to 0..255, by these factors; indices of a palette it
# leaves as they are.
_STRETCHED = {"1": 1, "L;2": 85, "L;4": 17, "L": 1, "P;1": 1, "P;2": 1, "P;4": 1, "P": 1}

_SIXTEEN = "I;16B"

_MASKS = 2**31
"""Bytes of an image's masks, one a pixel of each object: a map of depth has thousands of values."""


def read_indices(path: Path, size: Size) -> NDArray[np.uint8]:
    """Read an annotation (H, W) of one stored index per pixel; colours do not matter.

    Args:
        path: PNG file, grey or of a palette, of 1, 2, 4 or 8 bits.
        size: height and width that it must have, those of its image.

    Raises:
        ValueError, FileNotFoundError: the file cannot be read, or has another kind or size.
    """
    return _read_stored(path, size, _STRETCHED, "one class index of at most 8 bits a pixel")


def read_objects(item: Item, size: Size) -> InstanceTarget:
    """Read the objects of one class from numbers: pixels of value i > 0 are object i.

    The numbers need not follow each other. The file has up to 16 bits, otherwise as `read_indices`.

    Raises:
        ValueError, FileNotFoundError: as `read_indices`; white alone, in which objects cannot be
            told apart; or too many objects.
    """
    path: Path = item.annotation
    rule = "one object number of at most 16 bits a pixel"
    values = _read_stored(path, size, {**_STRETCHED, _SIXTEEN: 1}, rule)
    numbers = np.unique(values[values > 0])
    white = np.iinfo(values.dtype).max
    if numbers.tolist() == [white]:
        raise ValueError(
            f"annotation {path} must give each object a number of its own, but holds {white} alone,"
            " as a mask in black and white does"
        )
    if len(numbers) * values.size > _MASKS:
        raise ValueError(
            f"annotation {path} must number objects whose masks fit into {_MASKS / 2**30:g} GiB,"
            f" but has {len(numbers)} of {size[1]}x{size[0]} pixels"
        )
    masks = torch.from_numpy(values == numbers[:, None, None])
    labels = torch.ones(len(masks), dtype=torch.int64)
    return objects_of(masks, labels, torch.zeros_like(labels), item.image_id)


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
        if image.info["stored"] != _SIXTEEN:
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


def _read_stored(path: Path, size: Size, factors: Mapping[str, int], rule: str) -> NDArray[Any]:
    """Read the values of a file that Pillow stretches by one of `factors`; `rule` names them."""
    with open_image(path, "annotation", _FORMATS) as image:
        stored = image.info["stored"]
        if stored not in factors:
            raise ValueError(f"annotation {path} must hold {rule}, but is {_kind(image)}")
        _check_size(path, image, size)
        kind = np.uint16 if stored == _SIXTEEN else np.uint8
        values: NDArray[Any] = np.array(image).astype(kind)
        values //= factors[stored]
        return values


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
