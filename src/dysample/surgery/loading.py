"""A model given by its address, and something to run it on."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn


def load_model(address: str, *, trust: bool = False) -> nn.Module:
    """A model from ``package.module:factory``, or from a file that `torch.save` wrote.

    The factory is called without arguments. Those of the name "weights" or "pretrained", or with
    "weights" in it, are turned off: the sites do not depend on them, and nothing is downloaded.

    Args:
        address: one of the two. Modules in the working directory are found too.
        trust: load a file although a pickled model can run any code.

    Raises:
        ValueError: if there is no such module, factory or file, the factory needs arguments, or a
            file is not trusted.
        TypeError: if what is found is no model.
    """
    if Path(address).is_file():
        if not trust:
            raise ValueError(
                f"`model` (={address}) must be trusted: a pickled model can run any code"
                " when it is loaded; say --trust if you know where it comes from"
            )
        model = torch.load(address, map_location="cpu", weights_only=False)
        if isinstance(model, dict):
            raise TypeError(f"`model` (={address}) must hold a model, not weights alone")
    else:
        model = _built(find_factory(address), address)
    if not isinstance(model, nn.Module):
        raise TypeError(f"`model` (={address}) must be a torch.nn.Module, not {type(model)}")
    return model


def example_for(model: nn.Module, height: int, width: int) -> Any:
    """One random image as the model's only argument, in a list where it is annotated as one."""
    image = torch.rand(1, 3, height, width)
    first, *_ = inspect.signature(model.forward).parameters.values()
    return [image[0]] if "list[" in str(first.annotation).lower() else image


def find_factory(address: str) -> Callable[..., Any]:
    """What ``package.module:factory`` names; modules in the working directory are found too.

    Raises:
        ValueError: there is no such module, or nothing to call of that name in it.
    """
    module_name, colon, name = address.partition(":")
    if not colon:
        raise ValueError(f"`model` (={address}) must be package.module:factory or a file")
    if "" not in sys.path:
        sys.path.insert(0, "")  # as `python -m` does: the user's own module
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise ValueError(f"`model` (={address}): no module {error.name}") from error
    factory = getattr(module, name, None)
    if not callable(factory):
        raise ValueError(f"`model` (={address}): {module_name} has no callable {name}")
    found: Callable[..., Any] = factory
    return found


def _built(factory: Callable[..., Any], address: str) -> Any:
    if isinstance(factory, nn.Module):
        return factory
    off: dict[str, Any] = {}
    for parameter in inspect.signature(factory).parameters.values():
        if "weights" in parameter.name:
            off[parameter.name] = None
        elif parameter.name == "pretrained":
            off[parameter.name] = False
        elif parameter.default is parameter.empty and parameter.kind not in (
            parameter.VAR_POSITIONAL,
            parameter.VAR_KEYWORD,
        ):
            raise ValueError(f"`model` (={address}) must need no argument: `{parameter.name}`")
    return factory(**off)
