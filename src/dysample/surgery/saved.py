"""Save the upsamplers of a model in a file: which steps they replace, and their weights.

A model's library saves and loads what it knows: `from_pretrained` and the like build the model
without upsamplers. This file holds the rest.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from dysample.model_files import write_file
from dysample.nn import Upsampler
from dysample.surgery.replace import replace_upsamplers
from dysample.surgery.report import Report
from dysample.surgery.running import named
from dysample.surgery.verify import upsampler_path

_KINDS = {"upsampler": str, "options": dict, "channels": dict, "weights": dict}
"""What a file holds: name and options of the upsamplers; channels and weights by site."""


def save_upsamplers(model: nn.Module, report: Report, path: str | Path) -> None:
    """Write the upsamplers of a model into a file, for `load_upsamplers`.

    Args:
        model: what `dysample.replace_upsamplers` returned, trained or not.
        report: what it returned with the model.
        path: of the file, such as "folder/upsamplers.pt" beside the weights of the model.

    Raises:
        FileNotFoundError: no such folder.
        ValueError: nothing was replaced in the report, or it belongs to another model.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"`path` must lie in a folder that exists: {path.parent}")
    if not report.replaced:
        raise ValueError(f"`report` must have replaced a step: {report.reasons()}")
    weights = {}
    for site in report.replaced:
        up = _at(model, upsampler_path(site))
        if up is None:
            raise ValueError(
                f"`model` ({type(model).__name__}) must be the one that `report` is of: it has no"
                f" upsampler at {site.name}"
            )
        weights[site.name] = up.state_dict()
    content = {
        "upsampler": report.upsampler,
        "options": dict(report.options),
        "channels": {site.name: site.channels for site in report.replaced},
        "weights": weights,
    }
    write_file(content, path)


def load_upsamplers(
    model: nn.Module, path: str | Path, *, example_inputs: Any
) -> tuple[nn.Module, Report]:
    """Replace the same steps of a model as before, and load the weights of its upsamplers.

    Args:
        model: built as it was before surgery, with its own weights loaded by its own library, such
            as ``AutoModel.from_pretrained(folder)``.
        path: a file of `save_upsamplers`. Loading it runs no code.
        example_inputs: as `dysample.replace_upsamplers` takes them.

    Returns:
        The copy of the model with its upsamplers, and the report.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file cannot be read, or does not fit the model.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"`path` (={path}) must exist: `save_upsamplers` writes it")
    saved = _read(path)
    channels: dict[str, int] = saved["channels"]
    operated, report = replace_upsamplers(
        model,
        saved["upsampler"],
        example_inputs=example_inputs,
        where=lambda site: site.name in channels,
        **saved["options"],
    )
    found = {site.name: site.channels for site in report.replaced}
    if found != channels:
        raise ValueError(
            f"`model` ({type(model).__name__}) must have the steps of {path}, {channels} by name"
            f" and channels: replaced {found}; {report.reasons()}"
        )
    for site in report.replaced:
        up = operated.get_submodule(upsampler_path(site))
        try:
            up.load_state_dict(saved["weights"][site.name])
        except (RuntimeError, KeyError, TypeError) as error:
            raise ValueError(
                f"`{path}` must hold the weights of {site.name}: {named(error)}"
            ) from error
    return operated, report


def _at(model: nn.Module, path: str) -> Upsampler | None:
    try:
        found = model.get_submodule(path)
    except AttributeError:
        return None
    return found if isinstance(found, Upsampler) else None


def _read(path: Path) -> dict[str, Any]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever unpickling raises
        raise ValueError(f"`{path}` must be a file of `save_upsamplers`: {named(error)}") from error
    if not isinstance(content, dict) or content.keys() != _KINDS.keys():
        raise ValueError(f"`{path}` must be a file of `save_upsamplers`, with {', '.join(_KINDS)}")
    for key, kind in _KINDS.items():
        if not isinstance(content[key], kind):
            raise ValueError(
                f"`{path}`: `{key}` must be a {kind.__name__}, not {content[key]!r:.50}"
            )
    return content
