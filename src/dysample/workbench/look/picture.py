"""Load the image to look at: a file, an array, or an embedded scene."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from dysample.workbench.data.images import FORMATS as OF_DATA
from dysample.workbench.data.images import open_image, rgb
from dysample.workbench.data.scene_set import SCENES_SEED
from dysample.workbench.data.scenes import LARGEST_SET, Frame, render_frame

Bytes: TypeAlias = NDArray[np.uint8]
Source: TypeAlias = "str | Path | Bytes | Image.Image"

FORMATS = (*OF_DATA, "GIF")
"""Image formats that are read."""
MOST_BYTES = 20 * 2**20
MOST_PIXELS = 50_000_000

_SCENE = re.compile(r"scene(?::(\d+))?")


@dataclass(frozen=True)
class Picture:
    """An image before it is given to a model.

    Attributes:
        name: for titles.
        pixels: (H, W, 3) RGB; None for a scene, which is rendered at the size that is asked for.
        scene: number of the validation frame; None for other images.
    """

    name: str
    pixels: Bytes | None = None
    scene: int | None = None

    @property
    def size(self) -> tuple[int, int] | None:
        """Height and width; None for a scene."""
        return None if self.pixels is None else (self.pixels.shape[0], self.pixels.shape[1])

    def at(self, size: tuple[int, int]) -> Bytes:
        """Return the image at a size, (height, width, 3)."""
        if self.pixels is None:
            return self.frame(size).image
        if self.size == size:
            return self.pixels
        resized = Image.fromarray(self.pixels).resize(size[::-1], Image.Resampling.BILINEAR)
        return np.asarray(resized)

    def frame(self, size: tuple[int, int]) -> Frame:
        """The scene with its labels.

        Raises:
            ValueError: another image, whose labels are not known.
        """
        if self.scene is None:
            raise ValueError(f"`image` (={self.name}) must be a scene: others have no known labels")
        return render_frame(SCENES_SEED, LARGEST_SET + self.scene, size)


def load_picture(source: Source) -> Picture:
    """Load the image that a user names.

    Args:
        source: ``"scene"`` or ``"scene:7"``, an embedded validation frame; a file; an array
            (H, W, 3) uint8; an image of Pillow's.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a file that is too large or cannot be read, more than 8 bits a channel, or an
            array of another form.
        TypeError: something else.
    """
    if isinstance(source, Image.Image):
        return Picture("image", rgb(source, "`image`"))
    if isinstance(source, np.ndarray):
        if source.ndim != 3 or source.shape[2] != 3 or source.dtype != np.uint8:
            raise ValueError(
                f"`image` must be (H, W, 3) uint8, but is {source.shape} {source.dtype}"
            )
        return Picture("image", source)
    if not isinstance(source, (str, Path)):
        raise TypeError(
            f"`image` must be 'scene:NUMBER', a file, an array or an image of Pillow's, not"
            f" {type(source).__name__}"
        )
    if scene := _SCENE.fullmatch(str(source)):
        number = int(scene[1] or 0)
        if number >= LARGEST_SET:
            raise ValueError(
                f"`image` (={source}): scenes are numbered from 0 to {LARGEST_SET - 1}"
            )
        return Picture(f"scene:{number}", scene=number)
    path = Path(source)
    check_file(path)
    with open_image(path, formats=FORMATS) as image:
        upright = ImageOps.exif_transpose(image)
        return Picture(path.name, rgb(upright, f"`image` (={path.name})"))


def check_file(path: Path) -> None:
    """Check an image file's size and header before it is decoded.

    Raises:
        FileNotFoundError: no such file.
        ValueError: too many bytes or pixels, or no image of one of `FORMATS`.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"`image` (={path}) must be a file, or 'scene:NUMBER' for an embedded one; it does not"
            " exist"
        )
    weight = path.stat().st_size
    if weight > MOST_BYTES:
        raise ValueError(
            f"`image` (={path.name}) must have at most {MOST_BYTES // 2**20} MB, but has"
            f" {weight / 2**20:.1f}"
        )
    try:
        with Image.open(path, formats=FORMATS) as image:
            width, height = image.size
    except Image.DecompressionBombError as error:
        raise ValueError(f"`image` (={path.name}) {_TOO_LARGE}: {error}") from error
    except (OSError, SyntaxError, ValueError) as error:
        known = ", ".join(FORMATS)
        raise ValueError(f"`image` (={path.name}) must be an image: {known}") from error
    if width * height > MOST_PIXELS:
        raise ValueError(f"`image` (={path.name}) {_TOO_LARGE}, but has {width}x{height}")


_TOO_LARGE = f"must have at most {MOST_PIXELS // 1_000_000} million pixels"
