"""The model that a command line names, and inputs for it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from dysample.hub import from_pretrained, from_training
from dysample.registry import create_upsampler, get_entry
from dysample.surgery.loading import find_factory

_SHAPE: tuple[int, ...] = (2, 64, 16, 24)  # of an upsampler's input where none is given


def find_model(
    name: str, inputs: Sequence[str], half: bool
) -> tuple[nn.Module, tuple[Tensor, ...]]:
    """A model in eval mode and random inputs of the given shapes.

    Args:
        name: an upsampler's, a folder of `dysample.hub.save_pretrained`, `dysample train` or
            of a run of `dysample compare`, or package.module:factory.
        inputs: shapes such as 1x3x64x96; of upsamplers they may be left out.
        half: float16, model and inputs.

    Raises:
        ValueError, TypeError, FileNotFoundError: naming what cannot be found or read.
    """
    shapes = [_shape(text) for text in inputs]
    if ":" in name or Path(name).is_dir():
        if not shapes:
            raise ValueError(f"`--input` must be given: the shapes that {name} takes are not known")
        model = _made(name) if ":" in name else _saved(Path(name))
    else:
        guided = get_entry(name).guided
        if not shapes:
            B, C, H, W = _SHAPE
            shapes = [_SHAPE, (B, C, 2 * H, 2 * W)] if guided else [_SHAPE]
        options = {"guide_channels": shapes[1][1]} if guided and len(shapes) > 1 else {}
        model = create_upsampler(name, shapes[0][1], **options)
    dtype = torch.float16 if half else torch.float32
    return model.to(dtype).eval(), tuple(torch.randn(shape).to(dtype) for shape in shapes)


def _shape(text: str) -> tuple[int, ...]:
    if not re.fullmatch(r"[1-9]\d*(x[1-9]\d*){3}", text):
        raise ValueError(f"`--input` (={text!r}) must be a shape such as 1x3x64x96")
    return tuple(map(int, text.split("x")))


def _saved(folder: Path) -> nn.Module:
    """What a training left, or `save_pretrained`."""
    trained = any(folder.glob("*.ckpt"))
    return from_training(folder) if trained else from_pretrained(folder)


def _made(name: str) -> nn.Module:
    """What package.module:factory returns."""
    model = find_factory(name)()
    if not isinstance(model, nn.Module):
        raise TypeError(f"`model` (={name}) must make a module, not {type(model).__name__}")
    return model
