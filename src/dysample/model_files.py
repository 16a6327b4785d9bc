"""Read model files: load them safely, and find the module in them."""

from __future__ import annotations

import importlib.util
import io
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dysample.checks import one_line
from dysample.files import whole_file

_MODELS = ("ema", "model")
"""Keys under which checkpoints hold a model, the one that is used first: ultralytics' layout."""

_INSTEAD = "build the model in a function, and give package.module:function"


def write_file(content: Any, path: Path) -> None:
    """Save `content` as `torch.save` does, the whole file or none.

    Raises:
        OSError: naming `path`, which cannot be written.
    """
    # First into memory: a full disk is an error of another kind where torch meets it.
    saved = io.BytesIO()
    torch.save(content, saved)
    with whole_file(path) as file:
        file.write(saved.getbuffer())


def read_file(path: Path, *, trust: bool = False) -> Any:
    """Load what `torch.save` wrote, on the CPU.

    Args:
        path: of a file.
        trust: read pickled objects, which can run any code; weights and plain data are read anyway.

    Raises:
        TypeError: a file of another kind, which the message names.
        ValueError: a file that cannot be read, or only with `trust`.
    """
    if kind := _kind(path):
        raise TypeError(f"`model` (={path}) must be a file of torch.save: it is {kind}")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if not trust:
            raise ValueError(
                f"`model` (={path}) must be trusted: a pickled model can run any code when it is"
                " loaded; say --trust if you know where it comes from"
            ) from error
    except Exception as error:  # whatever a damaged file leads to
        raise _unreadable(path, error) from error
    try:
        return torch.load(path, map_location="cpu", weights_only=False)
    except ModuleNotFoundError as error:
        package, *rest = str(error.name).split(".")
        if importlib.util.find_spec(package) is None:
            raise ValueError(
                f"`model` (={path}) needs the package {package}, which is not installed"
            ) from error
        raise ValueError(
            f"`model` (={path}) needs {'.'.join([package, *rest])}, which the installed {package}"
            " does not have"
        ) from error
    except (Exception, SystemExit) as error:  # a pickle runs other people's code
        raise _unreadable(path, error) from error


def module_in(content: Any, path: Path) -> nn.Module:
    """Return the model in a file's contents: the module itself, or one in a checkpoint.

    Raises:
        TypeError: there is no module, or more than one; the message says what there is.
    """
    if isinstance(content, nn.Module):
        return content
    modules: dict[str, nn.Module] = {}
    if isinstance(content, Mapping):
        modules = {str(k): v for k, v in content.items() if isinstance(v, nn.Module)}
    for key in _MODELS:
        if key in modules:
            return modules[key]
    if len(modules) == 1:
        return next(iter(modules.values()))
    found = f"models under {', '.join(modules)}" if modules else _described(content)
    raise TypeError(f"`model` (={path}) must hold one torch.nn.Module; it holds {found}")


def _kind(path: Path) -> str | None:
    """Name the kind of a file that `torch.save` did not write, by its first bytes."""
    try:
        with path.open("rb") as file:
            head = file.read(9)
    except OSError as error:
        raise _unreadable(path, error) from error
    if 0 < int.from_bytes(head[:8], "little") < path.stat().st_size and head[8:] == b"{":
        return f"one of safetensors, weights alone: {_INSTEAD}"
    if not zipfile.is_zipfile(path):
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile:
        return "a damaged zip archive"
    inner = {name.partition("/")[2] for name in names}  # archives hold one folder
    if "constants.pkl" in inner:
        return f"a TorchScript program, whose forward is compiled: {_INSTEAD}"
    if {"archive_format", "serialized_exported_program.json"} & {*names, *inner}:
        return f"a program of torch.export, a graph without modules: {_INSTEAD}"
    return None if "data.pkl" in inner else "a zip archive of something else"


def _described(content: Any) -> str:
    if not isinstance(content, Mapping):
        return f"a {type(content).__name__}"
    if _are_weights(content):
        return f"weights alone ({len(content)} tensors, {next(iter(content))} first): {_INSTEAD}"
    keys = [key for key, value in content.items() if _are_weights(value)]
    if keys:
        return f"weights alone, under {', '.join(map(str, keys))}: {_INSTEAD}"
    shown = ", ".join(map(str, list(content)[:8]))
    return f"a {type(content).__name__} of {shown or 'nothing'}"


def _are_weights(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and bool(value)
        and all(isinstance(entry, Tensor) for entry in value.values())
    )


def _unreadable(path: Path, error: BaseException) -> ValueError:
    return ValueError(
        f"`model` (={path}) cannot be loaded: {type(error).__name__}: {one_line(error)}"
    )
