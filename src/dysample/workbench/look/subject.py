"""Compute everything that a figure shows of one model on one image."""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from torch import Tensor, nn

from dysample.calls import Call, record_calls
from dysample.modes import evaluated
from dysample.nn import Upsampler
from dysample.registry import list_upsamplers
from dysample.workbench.data.annotations import read_indices
from dysample.workbench.data.scene_set import SceneSet
from dysample.workbench.data.scenes import Scenes
from dysample.workbench.look.calls import choose_call
from dysample.workbench.look.models import REFERENCES, find_references, quick_model
from dysample.workbench.look.picture import Picture, Source, load_picture
from dysample.workbench.metrics.boundary import IGNORE
from dysample.workbench.resolver import find_model
from dysample.workbench.tasks.base import Task
from dysample.workbench.training.restore import Restored

Bytes: TypeAlias = NDArray[np.uint8]
Model: TypeAlias = "str | Path | nn.Module"
Label: TypeAlias = "str | Path | Bytes"

STRIDE = 32
"""Sides of images are multiples of it: no model pads them then, and every map spans the image."""
SCENE_SIDE = 256
"""Size of a scene for a model whose training size is not known."""


@dataclass(frozen=True)
class Subject:
    """A model on an image, with everything that a figure shows.

    Attributes:
        title: the model, for people.
        name: of the image.
        image: (H, W, 3) as the model gets it.
        size: of the image as it was given, for pixels that a user names.
        call: of the upsampler.
        label: classes (H, W), where they are known and the model predicts such.
        classes: their names.
        predictions: classes (H, W) by upsampler: fixed interpolations first, the model's own last.
    """

    title: str
    name: str
    image: Bytes
    size: tuple[int, int]
    call: Call
    label: Bytes | None = None
    classes: tuple[str, ...] = ()
    predictions: dict[str, Bytes] = field(default_factory=dict)


def look_at(
    model: Model,
    image: Source,
    *,
    site: str | None = None,
    label: Label | None = None,
    inputs: tuple[Any, ...] | None = None,
    console: Console | None = None,
) -> Subject:
    """Run a model on an image and keep what its upsampler did; see `show`."""
    if not isinstance(model, (str, Path, nn.Module)):
        raise TypeError(
            f"`model` (={model!r}) must be a module, a folder or a file, or an upsampler's name"
        )
    if inputs is not None and not isinstance(inputs, tuple):
        raise TypeError(f"`inputs` must be a tuple of arguments, not {type(inputs).__name__}")
    picture = load_picture(image)
    if isinstance(model, str) and model in list_upsamplers():
        if label is not None:
            _given_label(picture, label)  # fail before the training
        # Errors are shown beside those of the fixed interpolations, where labels are known.
        known = picture.scene is not None or label is not None
        console = console or Console(stderr=True)
        for name in REFERENCES if known else ():
            quick_model(name, console)
        model = quick_model(model, console)
    elif isinstance(model, str) and ":" not in model and not Path(model).exists():
        near = get_close_matches(model, list_upsamplers(), n=1)
        hint = f"; did you mean {near[0]}?" if near else ", nor is it the name of an upsampler"
        raise FileNotFoundError(f"`model` (={model}) does not exist{hint}")
    if not isinstance(model, nn.Module):
        loaded = find_model(str(model))
        if isinstance(loaded, tuple):
            return _of_run(*loaded, picture, site, label, inputs)
        model = loaded
    if isinstance(model, Task):
        name = type(model).__name__
        return _of_task(model, name, type(model.model).__name__, {}, picture, site, label, inputs)
    return _of_module(model, picture, site, label, inputs)


def _of_run(
    path: Path,
    restored: Restored,
    picture: Picture,
    site: str | None,
    label: Label | None,
    inputs: tuple[Any, ...] | None,
) -> Subject:
    task, spec = restored.task, restored.spec
    others = {name: other.task for name, other in find_references(path, restored)}
    settings = spec.settings
    parts = [f"{spec.task} on {task.about['name']}", f"{settings.model} model"]
    if getattr(settings, "head", None) is not None:
        parts.append(f"{settings.head} head")  # type: ignore[attr-defined]
    parts += [f"{settings.steps} steps", f"seed {spec.seed}"]
    title = f"{spec.upsampler.name}: {', '.join(parts)}"
    return _of_task(task, spec.upsampler.name, title, others, picture, site, label, inputs)


def _of_task(
    task: Task,
    name: str,
    title: str,
    others: dict[str, Task],
    picture: Picture,
    site: str | None,
    label: Label | None,
    inputs: tuple[Any, ...] | None,
) -> Subject:
    if inputs is not None:
        raise ValueError("`inputs` must be left out: a model of the workbench takes the image")
    task.eval()
    size = _fit(picture, (task.about["height"], task.about["width"]))
    image = picture.at(size)
    known = _label(task, picture, size, label)
    blank = torch.zeros(size, dtype=torch.long)
    target: dict[str, Any] = {
        "semantic": blank if known is None else torch.from_numpy(known).long(),
        "depth": blank.float(),
    }
    batch = task.batch([(_tensor(image), target)])
    with torch.no_grad():
        calls, _ = record_calls(task.model, lambda: task.model(batch[0]))
    call = choose_call(calls, site)
    predictions: dict[str, Bytes] = {}
    if known is not None:
        with torch.no_grad():
            for key, one in {**others, name: task}.items():
                predictions[key] = one.predict_classes(batch)[0].numpy().astype(np.uint8)
    classes = tuple(task.about["classes"])
    asked = picture.size or size
    return Subject(title, picture.name, image, asked, call, known, classes, predictions)


def _of_module(
    model: nn.Module,
    picture: Picture,
    site: str | None,
    label: Label | None,
    inputs: tuple[Any, ...] | None,
) -> Subject:
    if label is not None:
        raise ValueError("`label` must be left out: it is for runs of the workbench")
    if inputs is None and isinstance(model, Upsampler):
        raise ValueError("`inputs` must be given: an upsampler takes features, not an image")
    size = picture.size or (SCENE_SIDE, SCENE_SIDE)
    image = picture.at(size)
    given: tuple[Any, ...] = (_tensor(image).unsqueeze(0) * 2 - 1,) if inputs is None else inputs
    with evaluated(model):
        calls, _ = record_calls(model, lambda: model(*given))
    call = choose_call(calls, site)
    where = f", {call.site}" if call.site else ""
    title = f"{type(call.upsampler).__name__}: {type(model).__name__}{where}"
    return Subject(title, picture.name, image, size, call)


def _fit(picture: Picture, trained: tuple[int, int]) -> tuple[int, int]:
    """Height and width of the area that a model was trained at, in the image's shape."""
    height, width = picture.size or trained
    scale = (trained[0] * trained[1] / (height * width)) ** 0.5
    rounded = [max(STRIDE, STRIDE * round(side * scale / STRIDE)) for side in (height, width)]
    return rounded[0], rounded[1]


def _label(
    task: Task, picture: Picture, size: tuple[int, int], label: Label | None
) -> Bytes | None:
    """The classes of the pixels at the model's size, where they are known."""
    if not task.predicts_classes:
        if label is not None:
            raise ValueError(f"`label` must be left out: {task.kind} predicts no classes of pixels")
        return None
    if label is None:
        return _label_of_scene(task, picture, size)
    indices = _given_label(picture, label)
    classes = len(task.about["classes"])
    beyond = indices[(indices >= classes) & (indices != IGNORE)]
    if len(beyond):
        raise ValueError(
            f"`label` must hold classes below {classes}, or {IGNORE}, but holds {beyond.max()}"
        )
    rows, columns = (
        ((np.arange(new) + 0.5) * old / new).astype(int) for new, old in zip(size, indices.shape)
    )
    found: Bytes = indices[np.ix_(rows, columns)]
    return found


def _given_label(picture: Picture, label: Label) -> Bytes:
    """Read the user's label, which must have the image's size."""
    if picture.size is None:
        raise ValueError(f"`label` must be left out: that of {picture.name} is known")
    if isinstance(label, (str, Path)):
        return read_indices(Path(label), picture.size)
    if label.shape != picture.size or label.dtype != np.uint8:
        raise ValueError(
            f"`label` must be {picture.size} uint8 as the image, but is {label.shape} {label.dtype}"
        )
    return label


def _label_of_scene(task: Task, picture: Picture, size: tuple[int, int]) -> Bytes | None:
    """Return the labels of a scene; None for other images, or a model of other classes."""
    if picture.scene is None:
        return None
    frame = picture.frame(size)
    one = Scenes(frame.image[None], frame.depth[None], frame.semantic[None], frame.instance[None])
    scenes = SceneSet(task.kind, one, task.batch)
    if list(task.about["classes"]) != list(scenes.names):
        return None
    labels: Bytes = scenes.label(0).numpy()
    return labels


def _tensor(image: Bytes) -> Tensor:
    """(3, H, W) in 0..1."""
    return torch.from_numpy(image.copy()).permute(2, 0, 1).float() / 255
