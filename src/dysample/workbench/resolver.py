"""Resolve the model that a user names: a folder, a file, or package.module:factory."""

from __future__ import annotations

import importlib
import inspect
import math
import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from dysample.checks import one_line
from dysample.hub import from_pretrained
from dysample.model_files import module_in, read_file
from dysample.shared import CONFIG

if TYPE_CHECKING:
    from dysample.workbench.training.restore import Restored

_RUN = re.compile(r"(?P<task>[a-z]+)-(?P<upsampler>.+)-seed(?P<seed>\d+)-(?P<id>[0-9a-f]{12})")


@dataclass(frozen=True)
class Run:
    """A run's folder, as `dysample compare` names it."""

    folder: Path
    task: str
    upsampler: str
    seed: int
    id: str

    @property
    def label(self) -> str:
        """A readable name; runs that differ in data, settings or options may share it."""
        return f"{self.task}, {self.upsampler}, seed {self.seed}"


def resolve_model(name: str, *, trust: bool = False, pretrained: bool = True) -> nn.Module:
    """Return the module that a name stands for; see `find_model`."""
    found = find_model(name, trust=trust, pretrained=pretrained)
    if isinstance(found, nn.Module):
        return found
    from dysample.workbench.training.restore import with_recipe

    return with_recipe(found[1])


def find_model(
    name: str, *, trust: bool = False, pretrained: bool = True
) -> nn.Module | tuple[Path, Restored]:
    """Return the model that a name stands for; if it was trained here, also its checkpoint.

    Args:
        name: a folder of `dysample train`, of a run of `dysample compare` or of
            `dysample.hub.save_pretrained`; a checkpoint of the first two; a file in which
            `torch.save` wrote a module, or a checkpoint with one under `ema` or `model`; or
            package.module:factory, a module or what makes one without arguments. Modules in the
            working directory are found too.
        trust: load a pickled module although that can run any code.
        pretrained: False turns arguments of factories off that are called `pretrained`, or have
            `weights` in their name, so that nothing is downloaded.

    Raises:
        ValueError, TypeError, FileNotFoundError: something cannot be found, read or built; the
            message names it.
    """
    path = Path(name)
    if path.is_dir():
        return _in_folder(path)
    if "" not in sys.path:
        sys.path.insert(0, "")  # as `python -m` does: the user's own modules
    if not path.is_file():
        return _made(name, pretrained)
    content = read_file(path, trust=trust)
    if isinstance(content, Mapping) and "spec" in content:
        return _trained(path)
    return module_in(content, path)


def find_runs(folder: Path) -> list[Run]:
    """Return the trained runs of a comparison, given its output folder or the folder `runs` in it.

    Raises:
        FileNotFoundError: there is no such folder, or no checkpoint in it.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"folder {folder} does not exist")
    found = _runs_in(folder)
    if not found:
        raise FileNotFoundError(
            f"folder {folder} must hold runs of `dysample compare` with their checkpoints, but has"
            " none"
        )
    return found


def holds_model(folder: Path) -> bool:
    """Whether a folder holds a single model: a run's, or one of `dysample.hub`."""
    return (folder / CONFIG).is_file() or any(folder.glob("*.ckpt"))


def random_input(argument: str, shape: tuple[int, ...]) -> Tensor:
    """Return a random tensor of the shape that an argument gives.

    Raises:
        ValueError: if it needs more memory than the machine has.
    """
    needed, there = 4 * math.prod(shape), _memory()
    if needed > there:
        raise ValueError(
            f"`{argument}` (={'x'.join(map(str, shape))}) must fit into memory: it takes"
            f" {needed / 2**30:.3g} GiB of {there / 2**30:.3g}"
        )
    return torch.randn(shape)


def image_for(model: nn.Module, height: int, width: int) -> Any:
    """Return a random image as the model's only argument, in a list if it is annotated so.

    Raises:
        ValueError: if it needs more memory than the machine has.
    """
    image = random_input("--height, --width", (1, 3, height, width))
    first = next(iter(inspect.signature(model.forward).parameters.values()), None)
    listed = first is not None and "list[" in str(first.annotation).lower()
    return [image[0]] if listed else image


def _runs_in(folder: Path) -> list[Run]:
    found = []
    for place in (folder, folder / "runs"):
        for path in sorted(place.iterdir()) if place.is_dir() else ():
            named = _RUN.fullmatch(path.name)
            if named and any(path.glob("*.ckpt")):
                run = (named["task"], named["upsampler"], int(named["seed"]), named["id"])
                found.append(Run(path, *run))
    return found


def _in_folder(folder: Path) -> nn.Module | tuple[Path, Restored]:
    if (folder / CONFIG).is_file():
        return from_pretrained(folder)
    if not holds_model(folder) and (runs := _runs_in(folder)):
        names = ", ".join(run.folder.name for run in runs[:4])
        raise ValueError(f"folder {folder} holds several runs: choose one, such as {names}")
    if not holds_model(folder):
        raise FileNotFoundError(
            f"`model` (={folder}) must be the folder of a training or of"
            f" dysample.hub.save_pretrained: it holds neither a .ckpt nor {CONFIG}"
        )
    return _trained(folder)


def _trained(path: Path) -> tuple[Path, Restored]:
    # Imported here, because other people's models need nothing of the training code.
    from dysample.workbench.training.checkpoints import find_checkpoint
    from dysample.workbench.training.restore import restore

    checkpoint = find_checkpoint(path)
    return checkpoint, restore(checkpoint)


def _made(address: str, pretrained: bool) -> nn.Module:
    found = _find_factory(address)
    if not isinstance(found, nn.Module):
        options = _options(found, address, pretrained)
        _, _, name = address.partition(":")
        try:
            found = found(**options)
        except (Exception, SystemExit) as error:  # other people's code
            raise _raised(address, f"{name}()", error) from error
    if not isinstance(found, nn.Module):
        raise TypeError(f"`model` (={address}) must make a module, not {type(found).__name__}")
    return found


def _find_factory(address: str) -> Callable[..., Any]:
    module_name, _, name = address.partition(":")
    if not (module_name and name):
        raise ValueError(
            f"`model` (={address}) must be a folder or a file that exists, or"
            " package.module:factory"
        )
    if "/" in module_name or module_name.endswith(".py"):
        raise ValueError(
            f"`model` (={address}) must be package.module:factory: {module_name} is a path, not the"
            " name of a module"
        )
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise ValueError(f"`model` (={address}): no module {error.name}") from error
    except (Exception, SystemExit) as error:  # other people's code
        raise _raised(address, f"importing {module_name}", error) from error
    factory = getattr(module, name, None)
    if not callable(factory):
        raise ValueError(f"`model` (={address}): {module_name} has no callable {name}")
    found: Callable[..., Any] = factory
    return found


def _options(factory: Callable[..., Any], address: str, pretrained: bool) -> dict[str, Any]:
    """Return the arguments that turn pretrained weights off, if requested."""
    try:
        parameters = inspect.signature(factory).parameters.values()
    except ValueError:  # some built-in callables
        return {}
    options: dict[str, Any] = {}
    for parameter in parameters:
        if not pretrained and "weights" in parameter.name:
            options[parameter.name] = None
        elif not pretrained and parameter.name == "pretrained":
            options[parameter.name] = False
        elif parameter.default is parameter.empty and parameter.kind not in (
            parameter.VAR_POSITIONAL,
            parameter.VAR_KEYWORD,
        ):
            raise ValueError(f"`model` (={address}) must need no argument: `{parameter.name}`")
    return options


def _raised(address: str, what: str, error: BaseException) -> ValueError:
    return ValueError(
        f"`model` (={address}): {what} raises {type(error).__name__}: {one_line(error)}"
    )


def _memory() -> float:
    """Return the bytes of this machine's memory; infinity if unknown."""
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):
        return math.inf
