"""Decode the pictures and sampling positions that a run carries for its validation frames."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dysample.workbench.record import Record, Sample, Sampling

_FORMATS = ("JPEG", "PNG")

POSITION_UNIT = 1 / 256
"""Positions are stored as integers in this fraction of a low-res pixel."""


@dataclass(frozen=True)
class Frame:
    """One validation frame and what one run made of it."""

    index: int
    image: NDArray[np.uint8]  # (H, W, 3) RGB
    label: NDArray[np.uint8]  # (H, W) class ids
    prediction: NDArray[np.uint8]  # (H, W) class ids
    sampling: Sampling | None


def decode_frame(record: Record, sample: Sample) -> Frame:
    """Decode the three pictures of a sample, which must be of one size."""
    where = f"{record.source}: sample {sample.index}"
    image = _picture(sample.image, "RGB", f"{where}, `image`")
    label = _picture(sample.label, "L", f"{where}, `label`")
    prediction = _picture(sample.prediction, "L", f"{where}, `prediction`")
    if not image.shape[:2] == label.shape == prediction.shape:
        raise ValueError(
            f"{where}: image, label and prediction must be of one size, "
            f"not {image.shape[:2]}, {label.shape}, {prediction.shape}"
        )
    return Frame(sample.index, image, label, prediction, sample.sampling)


def decode_positions(sampling: Sampling) -> NDArray[np.float64]:
    """
    Where each output pixel was sampled.

    Returns (groups, 2, out_height, out_width) in low-res pixels, axis 1 is x then y, the centre
    of low-res pixel 0 is 0.
    """
    shape = (sampling.groups, 2, sampling.out_height, sampling.out_width)
    try:
        raw = base64.b64decode(sampling.positions, validate=True)
    except ValueError:
        raise ValueError("`positions` is not base64") from None
    if len(raw) != 2 * int(np.prod(shape)):
        raise ValueError(f"`positions` has {len(raw)} bytes, {shape} needs {2 * np.prod(shape)}")
    return np.frombuffer(raw, dtype="<i2").reshape(shape) * POSITION_UNIT


def regular_positions(sampling: Sampling) -> NDArray[np.float64]:
    """Where plain bilinear upsampling samples: (2, out_height, out_width), as decode_positions."""
    x = (np.arange(sampling.out_width) + 0.5) * sampling.width / sampling.out_width - 0.5
    y = (np.arange(sampling.out_height) + 0.5) * sampling.height / sampling.out_height - 0.5
    return np.stack(np.meshgrid(x, y))


def _picture(text: str, mode: str, where: str) -> NDArray[np.uint8]:
    try:
        file = io.BytesIO(base64.b64decode(text, validate=True))
        with Image.open(file, formats=_FORMATS) as picture:
            # A palette index is a class id already; converting would look its colour up.
            keep = mode == "L" and picture.mode == "P"
            return np.asarray(picture if keep else picture.convert(mode), dtype=np.uint8)
    # On damaged pictures Pillow raises nearly anything.
    except Exception:
        raise ValueError(f"{where} is not a readable base64 picture") from None
