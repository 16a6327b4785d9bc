"""The model that a command line names, and inputs for it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from dysample.registry import create_upsampler, get_entry
from dysample.workbench.resolver import random_input, resolve_model

_SHAPE: tuple[int, ...] = (2, 64, 16, 24)  # default shape of an upsampler's input


def find_model(
    name: str, inputs: Sequence[str], half: bool, *, trust: bool = False
) -> tuple[nn.Module, tuple[Tensor, ...]]:
    """Return a model in eval mode and random inputs of the given shapes.

    Args:
        name: an upsampler's, or what `dysample.workbench.resolver.resolve_model` takes.
        inputs: shapes such as 1x3x64x96; optional for upsamplers.
        half: use float16 for model and inputs, otherwise float32.
        trust: see `resolve_model`.

    Raises:
        ValueError, TypeError, FileNotFoundError: something cannot be found or read; the message
            names it.
    """
    shapes = [_shape(text) for text in inputs]
    # Addresses have a colon, files a suffix: anything else is an upsampler's name, or a typo.
    if re.fullmatch(r"\w+", name) and not Path(name).exists():
        guided = get_entry(name).guided
        if not shapes:
            B, C, H, W = _SHAPE
            shapes = [_SHAPE, (B, C, 2 * H, 2 * W)] if guided else [_SHAPE]
        options = {"guide_channels": shapes[1][1]} if guided and len(shapes) > 1 else {}
        model: nn.Module = create_upsampler(name, shapes[0][1], **options)
    else:
        if not shapes:
            raise ValueError(f"`--input` must be given: the shapes that {name} takes are not known")
        model = resolve_model(name, trust=trust)
    dtype = torch.float16 if half else torch.float32
    args = tuple(random_input("--input", shape).to(dtype) for shape in shapes)
    return model.to(dtype).eval(), args


def _shape(text: str) -> tuple[int, ...]:
    if not re.fullmatch(r"[1-9]\d*(x[1-9]\d*){3}", text):
        raise ValueError(f"`--input` (={text!r}) must be a shape such as 1x3x64x96")
    return tuple(map(int, text.split("x")))
