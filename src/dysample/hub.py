"""Save and load upsamplers and models, in a folder or on the Hugging Face hub.

A folder holds `config.json`, the arguments of the constructor, and `model.safetensors`, the
weights: what `huggingface_hub.PyTorchModelHubMixin` writes, so that a class with that mixin reads
it. Nothing in them can run code. A damaged file is refused, with a message that names it.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import tempfile
import warnings
from collections.abc import Callable
from functools import partial
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import dysample.nn
from dysample.checks import one_line
from dysample.files import whole_file
from dysample.fitting import build_for
from dysample.nn import Upsampler
from dysample.registry import get_entry, list_upsamplers
from dysample.shared import CONFIG, WEIGHTS, read_config, read_weights

GROUP = "dysample.models"
"""Entry points of this name, of any package, build the models that `create_model` knows."""

RECIPE = "hub_recipe"
"""Attribute of a model: the name under which it is built, as `model`, and the arguments."""


def create_model(model: str, /, **arguments: Any) -> nn.Module:
    """Build a model that `save_pretrained` can save.

    Args:
        model: the name of an entry point of `GROUP`.
        arguments: keyword arguments of the function that it names, such as `upsampler` and
            `classes`.

    Raises:
        TypeError, ValueError: an unknown name, or arguments that its function does not take.
    """
    builders = _builders()
    if model not in builders:
        raise ValueError(f"`model` (={model!r}) must be one of {', '.join(builders)}")
    build: Callable[..., nn.Module] = builders[model].load()
    recipe = _bound(build, (), arguments, model)
    built = build(**recipe)
    setattr(built, RECIPE, {"model": model, **recipe})
    return built


def save_pretrained(model: nn.Module, folder: str | Path) -> None:
    """Save a model into a folder, which is created if needed.

    Args:
        model: an upsampler, a model of `create_model`, or one that has its arguments as `RECIPE`.
        folder: where the two files are written.

    Raises:
        TypeError: a model of another kind, or an argument that JSON cannot represent.
    """
    from safetensors.torch import save

    config = _config_of(model)
    # Clone, because safetensors refuses two names that share memory.
    state = {key: v.detach().cpu().contiguous().clone() for key, v in model.state_dict().items()}
    weights = save(state)
    config["sha256"] = hashlib.sha256(weights).hexdigest()
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in ((WEIGHTS, weights), (CONFIG, _as_json(config))):
        with whole_file(folder / name) as file:
            file.write(content)


def from_pretrained(source: str | Path, *, revision: str | None = None) -> nn.Module:
    """Load a saved model, in eval mode.

    Args:
        source: a folder of `save_pretrained`, or `owner/name` on the hub.
        revision: branch, tag or commit, on the hub.

    Raises:
        FileNotFoundError: a folder without one of the two files. Pickles are never loaded.
        ValueError: a file that is damaged or changed, or does not fit the other one; a
            configuration that names other weights. Sizes are compared before memory is allocated.
    """
    folder = Path(source)
    if not folder.is_dir():
        folder = _download(str(source), revision)
    config = read_config(folder / CONFIG)
    state = read_weights(folder / WEIGHTS, config.pop("sha256", None))
    _check_config(config, state, folder / CONFIG)
    try:
        return build_for(lambda: _build(config, folder / CONFIG), state).eval()
    except RuntimeError as error:
        raise ValueError(
            f"`{folder / WEIGHTS}` must hold the weights of {CONFIG}: {one_line(error)}"
        ) from error


def push_to_hub(model: nn.Module, repo: str, *, private: bool = False) -> str:
    """Save a model and upload it; the hub's own login is used.

    Args:
        model: see `save_pretrained`.
        repo: `owner/name`, created if needed.
        private: whether a new repository is private.

    Returns:
        The address of the commit.
    """
    from huggingface_hub import HfApi

    with tempfile.TemporaryDirectory() as folder:
        save_pretrained(model, folder)
        (Path(folder) / "README.md").write_text(_card(repo), encoding="utf-8")
        api = HfApi(library_name="dysample", library_version=dysample.__version__)
        api.create_repo(repo, private=private, exist_ok=True)
        return str(api.upload_folder(repo_id=repo, folder_path=folder).commit_url)


def _config_of(model: nn.Module) -> dict[str, Any]:
    if isinstance(model, Upsampler):
        args, options = model.arguments
        kind = type(model)
        config = {"model": kind.__name__, **_bound(kind, args, options, kind.__name__)}
        with torch.device("meta"):
            built, given = kind(*args, **options).state_dict(), model.state_dict()
        for key in built.keys() & given.keys():
            if built[key].shape != given[key].shape:
                raise ValueError(
                    f"`{key}` shape (={tuple(given[key].shape)}) must be {tuple(built[key].shape)},"
                    " as its arguments build it: save a pruned upsampler by its state_dict"
                )
        return config
    recipe: dict[str, Any] | None = getattr(model, RECIPE, None)
    if recipe is None:
        raise TypeError(
            f"`model` (a {type(model).__name__}) must be an upsampler, or made by"
            " dysample.hub.create_model: how to build it is saved with it"
        )
    recipe = dict(recipe)
    if "settings" in recipe:
        # All weights are saved, so where the initial ones came from does not matter.
        recipe["settings"] = {**recipe["settings"], "weights": None}
    return recipe


def _bound(
    build: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any], name: str
) -> dict[str, Any]:
    """Return all arguments of a call by name, defaults included."""
    try:
        call = inspect.signature(build).bind(*args, **options)
    except TypeError as error:
        raise TypeError(f"{name}: {error}") from error
    call.apply_defaults()
    return dict(call.arguments)


def _as_json(config: dict[str, Any]) -> bytes:
    for name, value in config.items():
        try:
            json.dumps(value)
        except TypeError as error:
            raise TypeError(f"`{name}` (={value!r}) must be a value that JSON holds") from error
    return json.dumps(config, indent=2).encode() + b"\n"


def _builders() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in sorted(entry_points(group=GROUP))}


def _upsamplers() -> dict[str, Callable[..., nn.Module]]:
    """Return the classes of upsamplers by name, the built-in and the registered ones."""
    kinds = [getattr(dysample.nn, name) for name in dysample.nn.__all__]
    kinds += [get_entry(name).factory for name in list_upsamplers()]
    built = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, nn.Module)]
    return {kind.__name__: kind for kind in built if not inspect.isabstract(kind)}


def _check_config(config: dict[str, Any], state: dict[str, Tensor], path: Path) -> None:
    """Check a configuration before anything is built from it."""
    name, kinds, builders = config.get("model"), _upsamplers(), _builders()
    if not isinstance(name, str) or (name not in builders and name not in kinds):
        known = ", ".join([*sorted(kinds), *builders])
        raise ValueError(f"`{path}` names the model {name!r}, which must be one of {known}")
    if name not in builders:
        return
    settings = config.get("settings")
    start = settings.get("weights") if isinstance(settings, dict) else None
    if start is not None:
        raise ValueError(
            f"`{path}` must not name other weights (`settings.weights` is {start!r}): those in"
            f" {WEIGHTS} are the only ones that are read"
        )
    # Some libraries build a list of all classes before any tensor.
    most = max((tensor.numel() for tensor in state.values()), default=0)
    for key in ("classes", "stuff"):
        value = config.get(key)
        if isinstance(value, int) and value > most:
            raise ValueError(
                f"`{path}`: `{key}` (={value}) must be at most {most}, the numbers in the largest"
                f" tensor of {WEIGHTS}"
            )


def _build(config: dict[str, Any], path: Path) -> nn.Module:
    arguments = dict(config)
    name = arguments.pop("model")
    build = _upsamplers().get(name) or partial(create_model, name)
    try:
        return build(**arguments)
    except ModuleNotFoundError:  # of an extra
        raise
    # Constructors of three libraries receive values of any type and size.
    except Exception as error:
        raise ValueError(f"`{path}` must hold arguments of {name}: {one_line(error)}") from error


def _download(repo: str, revision: str | None) -> Path:
    if repo.count("/") != 1 or repo.startswith((".", "/", "~")):
        raise FileNotFoundError(
            f"`source` (={repo!r}) must be a folder that exists, or `owner/name` on the hub"
        )
    from huggingface_hub import snapshot_download

    return Path(snapshot_download(repo, revision=revision, allow_patterns=[CONFIG, WEIGHTS]))


def _card(repo: str) -> str:
    return f"""---
library_name: dysample
tags: [upsampling, dense-prediction]
---

```python
from dysample import hub

model = hub.from_pretrained("{repo}")
```
"""


def __getattr__(name: str) -> Any:
    if name == "from_training":  # until 0.3
        home = import_module("dysample.workbench.training.restore")
        warnings.warn(
            f"dysample.hub.{name} is now {home.__name__}.{name}", DeprecationWarning, stacklevel=2
        )
        return getattr(home, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
