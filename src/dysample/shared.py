"""Read the two files of a shared model, with checks."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from torch import Tensor

from dysample.checks import one_line

CONFIG, WEIGHTS = "config.json", "model.safetensors"

MOST_CONFIG = 2**20
"""Bytes of the largest configuration that is read."""


def read_config(path: Path) -> dict[str, Any]:
    """Read the arguments of a model.

    Raises:
        FileNotFoundError, ValueError: the file is missing, or is not a JSON object.
    """
    if not path.is_file():
        raise FileNotFoundError(f"`{path}` must exist")
    try:
        config = json.loads(_read(path, MOST_CONFIG), parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"`{path}` must hold JSON: {one_line(error)}") from error
    if not isinstance(config, dict):
        raise ValueError(f"`{path}` must hold a JSON object, not {type(config).__name__}")
    return config


def read_weights(path: Path, digest: Any) -> dict[str, Tensor]:
    """Read the weights of a model by name.

    Args:
        path: of the file.
        digest: its SHA-256 in hexadecimal digits; None if it is not known.

    Raises:
        FileNotFoundError, ValueError: the file is missing or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    if not path.is_file():
        raise FileNotFoundError(f"`{path}` must exist: pickled weights are not loaded")
    content = _read(path)
    if digest is not None and hashlib.sha256(content).hexdigest() != digest:
        raise ValueError(f"`{path}` must have the SHA-256 of {CONFIG}: it is truncated or changed")
    try:
        return load(content)
    # safetensors raises KeyError for an unknown dtype.
    except (SafetensorError, KeyError, ValueError, RuntimeError, MemoryError) as error:
        raise ValueError(f"`{path}` must hold safetensors: {one_line(error)}") from error


def _read(path: Path, most: int | None = None) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read() if most is None else file.read(most + 1)
    except (OSError, MemoryError) as error:
        raise ValueError(f"`{path}` cannot be read: {one_line(error)}") from error
    if most is not None and len(content) > most:
        raise ValueError(f"`{path}` must have at most {most} bytes")
    return content


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON's")
