"""The options of a run: plain data, importable without torch."""

from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, ClassVar

from dysample.numeric import check_int, check_number

HEADS = ("plain", "skip")

PRETRAINED_ENCODER = "efficientnet_lite0"

ENCODERS = ("conv", PRETRAINED_ENCODER)

SMALL = "small"

PRETRAINED = "pretrained"

# Options of the small models that the models of the papers do not have.
_OF_SMALL = ("width", "encoder", "head")

LATER: dict[str, Any] = {
    "augment": False,
    "frozen": False,
    "upsampler_rate": 1,
    "rate_scale": None,
    "held_out": False,
}
"""Options that records name only if they have another value."""

SIZES = (32, 2048)
"""Least and largest side of images in pixels."""

MOST = 2**31 - 1
"""Largest count, such as steps: far beyond any run, and a product of two fits into 64 bits."""

MOST_IMAGES = 2**16
"""Largest batch, in images per step; the number of parts of a batch has the same limit."""

WIDEST = 4096
"""Largest number of channels of a head or pyramid."""

LONGEST = 512
"""Longest side of scenes, and of images that a record shows: it keeps the low-res maps below 128
pixels, so that sampling positions fit the record's 16-bit fixed point."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything a run depends on besides task, data, upsampler and seed.

    The defaults of each task are the recipe for the embedded scenes.

    Attributes:
        steps: optimiser steps.
        batch_size: images a step.
        learning_rate: the peak of the one-cycle schedule.
        weight_decay: of AdamW, the same for every parameter.
        model: ``"small"``, or one of the papers by name: see `models`.
        encoder: encoder of the small models: ``"conv"`` starts from random weights,
            ``"efficientnet_lite0"`` from those of ImageNet. None for the others.
        weights: a file of encoder weights, or ``"pretrained"`` to download ImageNet's by the
            model's library; None for random ones.
        width: channels of the head or pyramid of the small models; None for the others.
        size: height of the images in pixels; the data set's aspect ratio is kept.
        train_frames: training images; None for all that a folder holds.
        val_frames: validation images; None for all that a folder holds.
        augment: scale, crop, flip and colour photographs at random in training; otherwise they are
            only flipped, and kept in memory.
        frozen: do not train the pretrained encoder of a small model; its features of an image are
            computed once.
        upsampler_rate: learning rate of the upsamplers over `learning_rate`.
        rate_scale: multiplies the learning rate of the upsamplers or, if they have no parameters,
            that of the whole model; None for 1. `dysample compare --tune` chooses it, and runs that
            differ in it are compared.
        held_out: evaluate on the last fifth of the training images, on which the run is not
            trained, instead of the validation images.

    Raises:
        TypeError: a value of another type.
        ValueError: a value outside its range.
    """

    models: ClassVar[tuple[str, ...]] = ()
    """Names of the models of the papers."""

    steps: int
    batch_size: int
    learning_rate: float
    weight_decay: float = 1e-2
    model: str = SMALL
    encoder: str | None = "conv"
    weights: str | None = None
    width: int | None
    size: int
    train_frames: int | None = 2000
    val_frames: int | None = 400
    augment: bool = False
    frozen: bool = False
    upsampler_rate: float = 1
    rate_scale: float | None = None
    held_out: bool = False

    def __post_init__(self) -> None:
        """Check every value."""
        self._check_model()
        for name, most in (("steps", MOST), ("batch_size", MOST_IMAGES), ("size", MOST)):
            keep_count(self, name, most=most)
        for name in ("train_frames", "val_frames"):
            if getattr(self, name) is not None:
                keep_count(self, name)
        for name in ("augment", "frozen", "held_out"):
            if not isinstance(getattr(self, name), bool):
                raise TypeError(f"`{name}` (={getattr(self, name)!r}) must be true or false")
        if self.frozen:
            self._check_frozen()
        for name, zero in (
            ("learning_rate", False),
            ("weight_decay", True),
            ("upsampler_rate", False),
        ):
            object.__setattr__(self, name, check_number(name, getattr(self, name), zero=zero))
        if self.rate_scale is not None:
            object.__setattr__(self, "rate_scale", check_number("rate_scale", self.rate_scale))
        if not SIZES[0] <= self.size <= SIZES[1]:
            raise ValueError(f"`size` (={self.size}) must be from {SIZES[0]} to {SIZES[1]} pixels")

    def _check_model(self) -> None:
        if self.model not in (SMALL, *self.models):
            known = ", ".join((SMALL, *self.models))
            raise ValueError(f"`model` (={self.model!r}) must be one of {known}")
        if self.weights is not None and (not isinstance(self.weights, str) or not self.weights):
            raise TypeError(f"`weights` (={self.weights!r}) must be {PRETRAINED!r} or a file")
        if self.model != SMALL:
            for name in _OF_SMALL:
                if getattr(self, name, None) is not None:
                    raise ValueError(
                        f"`{name}` (={getattr(self, name)!r}) must be left out: it is of the small "
                        f"models, and `model` is {self.model!r}"
                    )
            return
        keep_count(self, "width", most=WIDEST)
        if self.encoder not in ENCODERS:
            raise ValueError(f"`encoder` (={self.encoder!r}) must be one of {', '.join(ENCODERS)}")
        if self.weights == PRETRAINED:
            raise ValueError(
                f"`weights` (={PRETRAINED!r}) must be a file for the small models; of their "
                "encoders `efficientnet_lite0` is always pretrained"
            )

    def _check_frozen(self) -> None:
        if self.model != SMALL:
            raise ValueError(f"`frozen` (=True) must be left out for `model` {self.model!r}")
        if self.augment:
            raise ValueError(
                "`augment` (=True) must be left out with `frozen`: features are computed once"
            )

    def check_start(self) -> None:
        """Raise a ValueError if a frozen encoder has random weights at the start of a run."""
        if self.frozen and self.encoder == ENCODERS[0] and self.weights is None:
            raise ValueError(
                "`frozen` (=True) needs a pretrained encoder: `encoder` 'conv' starts from random "
                f"weights; take {PRETRAINED_ENCODER!r}, or give a file of `weights`"
            )

    def split(self, train: int, val: int) -> tuple[int, int]:
        """Return the numbers of images to train and to evaluate on.

        Args:
            train: all training images of the run.
            val: its validation images, which count only without `held_out`.

        Raises:
            ValueError: one training image, which cannot be both trained on and held out.
        """
        if not self.held_out:
            return train, val
        if train < 2:
            raise ValueError(f"`held_out` (=True) needs at least 2 training images, not {train}")
        held = -(-train // 5)
        return train - held, held

    def to_dict(self) -> dict[str, Any]:
        """Return the options by name, as plain data for JSON.

        Options of `LATER` are there only if they are not as here: runs without them are the same
        as before there were such options, and so are their ids.
        """
        return {
            name: value
            for name, value in asdict(self).items()
            if name not in LATER or value != LATER[name]
        }


@dataclass(frozen=True, kw_only=True)
class HeadSettings(Settings):
    """Settings of a task whose head can include the encoder's finest features or not.

    Attributes:
        head: ``"plain"`` leaves the finest encoder features out of the head (they only guide the
            guided upsamplers), ``"skip"`` concatenates them as usual. None for models of the
            papers.
    """

    head: str | None = "plain"

    def __post_init__(self) -> None:
        """Check every value."""
        if self.model == SMALL and self.head not in HEADS:
            raise ValueError(f"`head` (={self.head!r}) must be 'plain' or 'skip'")
        super().__post_init__()


@dataclass(frozen=True, kw_only=True)
class SemanticSettings(HeadSettings):
    """Settings of semantic segmentation; the defaults separate the upsamplers."""

    models = (
        *(f"segformer_b{i}" for i in range(6)),
        *(f"maskformer_swin_{size}" for size in ("tiny", "small", "base", "large")),
    )

    steps: int = 300
    batch_size: int = 16
    learning_rate: float = 1e-2
    width: int | None = 32
    size: int = 64


@dataclass(frozen=True, kw_only=True)
class DepthSettings(HeadSettings):
    """Settings of depth estimation."""

    models = tuple(f"swin_{size}" for size in ("tiny", "small", "base", "large"))

    steps: int = 600
    batch_size: int = 16
    learning_rate: float = 4e-3
    width: int | None = 32
    size: int = 64


@dataclass(frozen=True, kw_only=True)
class PyramidSettings(Settings):
    """Settings of detection, instance and panoptic segmentation on a feature pyramid."""

    models = ("r50", "r101")

    steps: int = 450
    batch_size: int = 8
    learning_rate: float = 2e-3
    width: int | None = 64
    size: int = 96
    train_frames: int | None = 1500
    val_frames: int | None = 200


def split_data(data: str) -> tuple[str, str]:
    """Return the data set's name and, for ``"NAME:PATH"``, its folder (else an empty string).

    `dysample.workbench.data.catalog` checks whether there is a data set of that name.

    Raises:
        ValueError: neither ``"scenes"`` nor of the form ``"NAME:PATH"``.
    """
    name, _, folder = data.partition(":")
    if data != "scenes" and (name in ("", "scenes") or not folder):
        raise ValueError(f"`data` (={data!r}) must be 'scenes' or 'NAME:PATH'")
    return name, folder


def settings_for(task: str, data: str, **changes: Any) -> Settings:
    """Return the recipe of a task on a data set, overridden by the options that are not None.

    Raises:
        TypeError: the task does not have an option, or a value has another type.
        ValueError: an unknown task, data of another form, or a value outside its range.
    """
    if task not in SCENES:
        raise ValueError(f"`task` (={task!r}) must be one of {', '.join(TASKS)}")
    photographs = split_data(data)[0] != "scenes"
    recipe = (PHOTOGRAPHS if photographs else SCENES)[task]
    given = {name: value for name, value in changes.items() if value is not None}
    known = [one.name for one in fields(recipe)]
    for name in given:
        if name not in known:
            raise TypeError(f"`{name}` is not a setting of {task}; there are {', '.join(known)}")
    if given.get("model", SMALL) != SMALL:
        paper: dict[str, Any] = {name: None for name in _OF_SMALL if name in known}
        paper |= {"model": given["model"], "learning_rate": PAPER_RATE, "augment": photographs}
        recipe = replace(recipe, **paper)
    return replace(recipe, **given)


def settings_of(tasks: list[str], data: str, **changes: Any) -> dict[str, Settings]:
    """Return the settings of each task by name; an option goes to the tasks that have it.

    Raises:
        TypeError, ValueError: as `settings_for`; an option that none of the tasks has.
    """
    given = {name: value for name, value in changes.items() if value is not None}
    known = {task: {one.name for one in fields(settings_for(task, data))} for task in tasks}
    for name in given:
        if not any(name in options for options in known.values()):
            raise TypeError(f"`{name}` is not a setting of {', '.join(tasks)}")
    return {
        task: settings_for(task, data, **{k: v for k, v in given.items() if k in known[task]})
        for task in tasks
    }


def check_count(name: str, value: Any, least: int = 1, most: int = MOST) -> int:
    """Return `value` as Python's integer if it is one in a range, both ends of which are in it."""
    return check_int(name, value, least, most)


def keep_count(options: Any, name: str, least: int = 1, most: int = MOST) -> None:
    """Check a field of frozen options, and keep Python's integer of it, which JSON can hold."""
    object.__setattr__(options, name, check_count(name, getattr(options, name), least, most))


def check_seed(value: Any) -> int:
    """Return `value` as Python's integer if it is one of 64 bits."""
    return check_int("seed", value, -(2**63), 2**63 - 1)


SCENES: dict[str, Settings] = {
    "semantic": SemanticSettings(),
    "detection": PyramidSettings(),
    # Masks double the time per step.
    "instance": PyramidSettings(batch_size=4),
    "panoptic": PyramidSettings(batch_size=4),
    "depth": DepthSettings(),
}
"""The recipe of each task on the embedded scenes."""

_WHOLE: dict[str, Any] = {"train_frames": None, "val_frames": None}

PHOTOGRAPHS: dict[str, Settings] = {
    "semantic": SemanticSettings(steps=600, batch_size=8, size=120, **_WHOLE),
    "detection": PyramidSettings(size=128, **_WHOLE),
    "instance": PyramidSettings(size=128, batch_size=4, **_WHOLE),
    "panoptic": PyramidSettings(size=128, batch_size=4, **_WHOLE),
    "depth": DepthSettings(batch_size=8, size=120, **_WHOLE),
}
"""The recipe of each task on a data set on disk."""

PAPER_RATE = 1e-4
"""The learning rate of every model of the papers: AdamW's usual one for such encoders."""

TASKS = tuple(SCENES)
"""Names of the tasks."""

CONFIGS = {path.stem: path for path in sorted((Path(__file__).parent / "configs").glob("*.yaml"))}
"""The configurations that come with the package, by name."""
