"""Read image files, with errors that name them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError
from torchvision.tv_tensors import Image as ImageTensor

from dysample.checks import one_line

FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "WEBP")
"""Image formats that Pillow decodes without another program."""

SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp")
"""Suffixes of these formats, in lower case."""

Size = tuple[int, int]

_COLOURS = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr")
_QUARTER_TURNS = (5, 6, 7, 8)


def read_image(path: Path, stated: Size | None = None) -> ImageTensor:
    """Read an image (3, H, W) uint8, RGB.

    Args:
        path: file.
        stated: height and width by the data set's own list, which decide whether the orientation
            that a camera noted (EXIF) is applied; None for pixels as they are stored.

    Raises:
        ValueError, FileNotFoundError: a file that cannot be read.
    """
    with open_image(path) as image:
        turned = _turns(image, path, stated)
        pixels = rgb(ImageOps.exif_transpose(image) if turned else image, f"image {path}")
    return ImageTensor(torch.from_numpy(pixels).permute(2, 0, 1).contiguous())


def check_image(path: Path, stated: Size | None = None) -> Size:
    """Decode a whole image file to check it, and return height and width; see `read_image`.

    A JPEG file is decoded at an eighth of its size: every byte is read, in a third of the time.
    """
    with open_image(path, draft=True) as image:
        _check_colours(image, f"image {path}")
        height, width = image.info["full_size"]
        return (width, height) if _turns(image, path, stated) else (height, width)


def rgb(image: Image.Image, what: str) -> NDArray[np.uint8]:
    """Convert an image to RGB pixels (H, W, 3).

    Raises:
        ValueError: more than 8 bits a channel, of which a conversion would clip all but the
            darkest to white, or colours of another kind; `what` names the image.
    """
    _check_colours(image, what)
    return np.array(image.convert("RGB"))


def _check_colours(image: Image.Image, what: str) -> None:
    if image.mode.startswith(("I", "F")):
        raise ValueError(f"{what} must have 8 bits a channel, but is of mode {image.mode}")
    if image.mode not in _COLOURS:
        raise ValueError(f"{what} must be grey, RGB or CMYK, but is of mode {image.mode}")


def _turns(image: Image.Image, path: Path, stated: Size | None) -> bool:
    """Whether to apply the EXIF orientation, so that the image has the stated size."""
    noted = image.info["orientation"]
    if noted == 1 or stated is None:
        return False
    height, width = image.info["full_size"]
    if noted not in _QUARTER_TURNS or height == width:
        raise ValueError(
            f"image {path} must be stored upright: it notes an orientation (EXIF {noted}), and its"
            f" size {width}x{height} does not tell whether the annotations follow it"
        )
    return stated == (width, height)


@contextmanager
def open_image(
    path: Path,
    what: str = "image",
    formats: tuple[str, ...] = FORMATS,
    *,
    draft: bool = False,
) -> Iterator[Image.Image]:
    """Open and decode an image; of a file with several, the first one.

    Its `info` holds ``full_size``, height and width before a draft; ``orientation``, 1 to 8 as
    EXIF counts; and ``stored``, Pillow's name of how pixels lie in the file.

    Args:
        path: file.
        what: it is, for messages.
        formats: that are tried, whatever the file's name ends in.
        draft: decode a JPEG file at an eighth of its size.

    Raises:
        ValueError, FileNotFoundError: a file that cannot be read.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{what} {path} does not exist")
    with _naming(path, what, formats):
        image = Image.open(path, formats=formats)
    with image:
        with _naming(path, what, formats):
            notes: dict[str, Any] = {"stored": image.tile[0][3] if image.tile else None}
            whole = image.height, image.width
            if draft:
                image.draft(None, (max(1, image.width // 8), max(1, image.height // 8)))
            drafted = image.size != whole[::-1]
            image.load()
            # Pillow turns a TIFF file upright by itself, which changes its size.
            notes["full_size"] = whole if drafted else (image.height, image.width)
            noted = image.getexif().get(ExifTags.Base.Orientation, 1)
            notes["orientation"] = noted if noted in range(1, 9) else 1
            image.info.update(notes)
        yield image


@contextmanager
def _naming(path: Path, what: str, formats: tuple[str, ...]) -> Iterator[None]:
    """Convert Pillow's errors into ones that name the file."""
    try:
        yield
    except UnidentifiedImageError as error:
        known = " or ".join(filter(None, [", ".join(formats[:-1]), formats[-1]]))
        raise ValueError(f"{what} {path} cannot be read: it must be a {known} file") from error
    except MemoryError as error:
        raise ValueError(f"{what} {path} cannot be read: there is not enough memory") from error
    # On damaged files Pillow raises nearly anything: OSError, SyntaxError, struct.error, KeyError.
    except Exception as error:
        raise ValueError(f"{what} {path} cannot be read: {one_line(error)}") from error
