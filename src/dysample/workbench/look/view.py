"""`show`: what an upsampler does inside a model, as a figure."""

from __future__ import annotations

from typing import Any

import torch
from matplotlib.figure import Figure
from rich.console import Console

from dysample.checks import is_int
from dysample.diagnosis import read_call
from dysample.nn import Bilinear, Nearest
from dysample.workbench.headline import say
from dysample.workbench.look.figure import draw
from dysample.workbench.look.picture import Source
from dysample.workbench.look.subject import Label, Model, Subject, look_at


def show(
    model: Model,
    image: Source,
    *,
    pixel: tuple[int, int] | None = None,
    label: Label | None = None,
    site: str | None = None,
    inputs: tuple[Any, ...] | None = None,
    console: Console | None = None,
) -> Figure:
    """Draw what an upsampler in a model does to an image.

    Four rows: what one output pixel reads; offsets, gates and index maps; features before and
    after, beside nearest and bilinear interpolation; errors at label boundaries, where labels are
    known, beside those of runs that differ in the upsampler alone.

    Args:
        model: the folder of a run of `dysample compare` or `dysample train`, or a checkpoint in
            it; a folder of `dysample.hub.save_pretrained`; any module that holds upsamplers; or the
            name of an upsampler, with which a small model is trained on the embedded scenes for a
            moment, once.
        image: ``"scene"`` or ``"scene:7"``, an embedded validation frame; a file; an array
            (H, W, 3) uint8; an image of Pillow's.
        pixel: row and column in the image. By default where nearest and bilinear interpolation of
            the features differ most.
        label: classes of the pixels, as a PNG file of indices or (H, W) uint8, for a run that
            predicts such; those of embedded scenes are known.
        site: path of an upsampler in the model; by default the last with the largest output.
        inputs: what a module is called with; by default the image, (1, 3, H, W) in -1..1. The
            maps are drawn as if each spanned the whole image.
        console: for progress, where a model has to be trained, and for what `dysample.diagnose`
            says of the upsampler; by default progress goes to standard error.

    Returns:
        A figure; a notebook shows it where it is the last line of a cell.

    Raises:
        ValueError, TypeError, FileNotFoundError: what is wrong with an argument, by its name.
    """
    if pixel is not None:
        check_pixel(pixel)
    subject = look_at(model, image, site=site, label=label, inputs=inputs, console=console)
    if console is not None:
        say(console, str(read_call(subject.call)))
    return draw(subject, place_of(subject, pixel)).figure


def check_pixel(pixel: Any) -> None:
    """Raise a TypeError unless it is a row and a column: before a model is trained for it."""
    if not isinstance(pixel, (tuple, list)) or len(pixel) != 2 or not all(map(is_int, pixel)):
        raise TypeError(f"`pixel` (={pixel!r}) must be two integers (row, column)")


def place_of(subject: Subject, pixel: tuple[int, int] | None) -> tuple[int, int]:
    """The output pixel that holds the centre of a pixel of the image.

    Args:
        subject: model and image.
        pixel: row and column in the image; None for where nearest and bilinear differ most.

    Raises:
        ValueError: outside the image.
    """
    size = subject.call.size
    if pixel is None:
        return _telling(subject)
    for name, place, length in zip(("row", "column"), pixel, subject.size):
        if not 0 <= place < length:
            raise ValueError(f"`pixel` {name} (={place}) must be from 0 to {length - 1}")
    row, column = (
        int((place + 0.5) * new / old) for place, new, old in zip(pixel, size, subject.size)
    )
    return row, column


def _telling(subject: Subject) -> tuple[int, int]:
    """Return where nearest and bilinear interpolation differ most, away from the border."""
    call = subject.call
    channels = call.x.shape[1]
    fixed = [kind(channels)(call.x, size=call.size) for kind in (Nearest, Bilinear)]
    gap = torch.linalg.vector_norm((fixed[0] - fixed[1])[0].float(), dim=0)
    rim = [side // 8 for side in call.size]
    inside = torch.zeros_like(gap, dtype=torch.bool)
    inside[rim[0] : call.size[0] - rim[0], rim[1] : call.size[1] - rim[1]] = True
    return divmod(int(gap.where(inside, -1).argmax()), call.size[1])
