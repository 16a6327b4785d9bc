"""Image files, and errors that name them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torchvision.tv_tensors import Image as ImageTensor

SUFFIXES = (".jpg", ".jpeg", ".png")

# What Pillow raises on files that are cut short, damaged, or no image at all.
_UNREADABLE = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)


def list_images(folder: Path) -> list[Path]:
    """The .jpg and .png files of a folder, sorted.

    Raises:
        FileNotFoundError: no such folder.
        ValueError: a folder without images.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"folder {folder} does not exist")
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if not found:
        raise ValueError(f"folder {folder} must hold .jpg or .png images, but has none")
    return found


def read_image(path: Path) -> ImageTensor:
    """Image (3, H, W) uint8, RGB.

    Raises:
        ValueError, FileNotFoundError: a file that cannot be read.
    """
    with open_image(path) as image:
        pixels = rgb(image, f"image {path}")
    return ImageTensor(torch.from_numpy(pixels).permute(2, 0, 1).contiguous())


def rgb(image: Image.Image, what: str) -> NDArray[np.uint8]:
    """Pixels (H, W, 3); grey ones and those of a palette become coloured ones.

    Raises:
        ValueError: more than 8 bits a channel, of which a conversion would clip all but the
            darkest to white; `what` names the image.
    """
    _check_bits(image, what)
    return np.array(image.convert("RGB"))


def _check_bits(image: Image.Image, what: str) -> None:
    if image.mode.startswith(("I", "F")):
        raise ValueError(f"{what} must have 8 bits a channel, but is of mode {image.mode}")


def check_image(path: Path) -> tuple[int, int]:
    """Height and width of an image whose whole file can be decoded.

    A JPEG file is decoded at an eighth of its size: every byte is read, in a third of the time.

    Raises:
        ValueError, FileNotFoundError: a file that cannot be read.
    """
    with open_image(path, draft=True) as image:
        _check_bits(image, f"image {path}")
        return image.info["full_size"]  # type: ignore[no-any-return]


def read_indices(path: Path, size: tuple[int, int]) -> NDArray[np.uint8]:
    """An annotation (H, W) of one 8-bit index a pixel; a palette's colours do not matter.

    Args:
        path: PNG file.
        size: height and width that it must have, those of its image.

    Raises:
        ValueError, FileNotFoundError: a file that cannot be read, of another kind or size.
    """
    with open_image(path, "annotation") as image:
        if image.mode not in ("L", "P"):
            raise ValueError(
                f"annotation {path} must hold one 8-bit class index a pixel, but is {image.mode}"
            )
        _check_size(path, image, size)
        return np.array(image)


def read_colours(path: Path, size: tuple[int, int]) -> NDArray[np.uint8]:
    """An annotation (H, W, 3) of one RGB colour a pixel; otherwise as `read_indices`."""
    with open_image(path, "annotation") as image:
        if image.mode != "RGB":
            raise ValueError(f"annotation {path} must be an RGB image, but is {image.mode}")
        _check_size(path, image, size)
        return np.array(image)


def read_depth(path: Path, size: tuple[int, int], unit: float) -> NDArray[np.float32]:
    """Depth (H, W) in metres of a 16-bit grey PNG that counts in `unit` metres.

    Otherwise as `read_indices`.
    """
    with open_image(path, "annotation") as image:
        # Pillow before 11.3 calls some 16-bit PNG files 32-bit ones.
        if image.mode not in ("I;16", "I"):
            raise ValueError(f"annotation {path} must be a 16-bit grey PNG, but is {image.mode}")
        _check_size(path, image, size)
        return np.asarray(image).astype(np.float32) * np.float32(unit)


@contextmanager
def open_image(path: Path, what: str = "image", *, draft: bool = False) -> Iterator[Image.Image]:
    """A wholly decoded image; with `draft` smaller, and its size in ``info["full_size"]``.

    Args:
        path: file.
        what: it is, for messages.
        draft: decode a JPEG file at an eighth of its size.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{what} {path} does not exist")
    try:
        image = Image.open(path)
    except _UNREADABLE as error:
        raise ValueError(f"{what} {path} cannot be read: {error}") from error
    with image:
        image.info["full_size"] = (image.height, image.width)
        try:
            if draft:
                image.draft(None, (max(1, image.width // 8), max(1, image.height // 8)))
            image.load()
        except _UNREADABLE as error:
            raise ValueError(f"{what} {path} cannot be read: {error}") from error
        yield image


def _check_size(path: Path, image: Image.Image, size: tuple[int, int]) -> None:
    height, width = size
    if (image.height, image.width) != size:
        raise ValueError(
            f"annotation {path} must be of its image's size {width}x{height}, "
            f"but is {image.width}x{image.height}"
        )
