"""Annotations that are PNG files: an index, a colour or a depth a pixel."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dysample.workbench.data.images import Size, open_image

# Lossy formats would invent labels, and others are not what the layouts hold.
_FORMATS = ("PNG",)

# Pillow stretches grey values of few bits to 0..255, by these factors; indices of a palette it
# leaves as they are.
_STRETCHED = {"1": 1, "L;2": 85, "L;4": 17, "L": 1, "P;1": 1, "P;2": 1, "P;4": 1, "P": 1}


def read_indices(path: Path, size: Size) -> NDArray[np.uint8]:
    """An annotation (H, W) of one index a pixel as the file stores it; colours do not matter.

    Args:
        path: PNG file, grey or of a palette, of 1, 2, 4 or 8 bits.
        size: height and width that it must have, those of its image.

    Raises:
        ValueError, FileNotFoundError: a file that cannot be read, of another kind or size.
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
    """An annotation (H, W, 3) of one RGB colour a pixel; otherwise as `read_indices`."""
    with open_image(path, "annotation", _FORMATS) as image:
        if image.info["stored"] != "RGB":
            raise ValueError(
                f"annotation {path} must be an RGB image of 8 bits a channel, but is {_kind(image)}"
            )
        _check_size(path, image, size)
        return np.array(image)


def read_depth(path: Path, size: Size, unit: float) -> NDArray[np.float32]:
    """Depth (H, W) in metres of a 16-bit grey PNG that counts in `unit` metres.

    Otherwise as `read_indices`.
    """
    with open_image(path, "annotation", _FORMATS) as image:
        if image.info["stored"] != "I;16B":
            raise ValueError(f"annotation {path} must be a 16-bit grey PNG, but is {_kind(image)}")
        _check_size(path, image, size)
        return np.asarray(image).astype(np.float32) * np.float32(unit)


def _kind(image: Image.Image) -> str:
    """Mode, and how the file stores it where that says more."""
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
