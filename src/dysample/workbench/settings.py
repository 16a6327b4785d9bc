"""The options of a run: plain data, importable without torch."""

from dataclasses import asdict, dataclass, replace
from typing import Any

HEADS = ("plain", "skip")

# A longer side of 512 px keeps the low-res maps below 128 px, so that sampling positions fit the
# record's 16-bit fixed point; a 4:3 image may therefore be 384 px high.
SIZES = (32, 384)


@dataclass(frozen=True, kw_only=True)
class SemanticSettings:
    """Everything a semantic-segmentation run depends on besides data, upsampler and seed.

    The defaults are the recipe for the embedded scenes, on which upsamplers separate.

    Attributes:
        head: ``"plain"`` leaves the finest encoder stage out of the head (it only guides the
            guided upsamplers), ``"skip"`` concatenates it as SegFormer does.
        steps: optimiser steps.
        batch_size: images a step.
        learning_rate: the peak of the one-cycle schedule.
        weight_decay: of AdamW, the same for every parameter.
        width: channels of the head.
        size: height of the images in pixels; the data set's aspect ratio is kept.
        train_frames: training images; None for all that a folder holds.
        val_frames: validation images; None for all that a folder holds.

    Raises:
        TypeError: a value of another type.
        ValueError: a value outside its range.
    """

    head: str = "plain"
    steps: int = 300
    batch_size: int = 16
    learning_rate: float = 1e-2
    weight_decay: float = 1e-2
    width: int = 32
    size: int = 64
    train_frames: int | None = 2000
    val_frames: int | None = 400

    def __post_init__(self) -> None:
        """Check every value."""
        if self.head not in HEADS:
            raise ValueError(f"`head` (={self.head!r}) must be 'plain' or 'skip'")
        for name in ("steps", "batch_size", "width", "size"):
            _check_count(name, getattr(self, name))
        for name in ("train_frames", "val_frames"):
            if getattr(self, name) is not None:
                _check_count(name, getattr(self, name))
        for name in ("learning_rate", "weight_decay"):
            _check_number(name, getattr(self, name))
        if self.learning_rate == 0:
            raise ValueError("`learning_rate` (=0) must be above 0")
        if not SIZES[0] <= self.size <= SIZES[1]:
            raise ValueError(f"`size` (={self.size}) must be from {SIZES[0]} to {SIZES[1]} pixels")

    def to_dict(self) -> dict[str, Any]:
        """The options by name, ready for JSON."""
        return asdict(self)


def split_data(data: str) -> tuple[str, str]:
    """The data set's name and, for ``"NAME:PATH"``, its folder (else an empty string).

    Whether there is a data set of that name is up to `dysample.workbench.data.catalog`.

    Raises:
        ValueError: neither ``"scenes"`` nor of the form ``"NAME:PATH"``.
    """
    name, _, folder = data.partition(":")
    if data != "scenes" and (name in ("", "scenes") or not folder):
        raise ValueError(f"`data` (={data!r}) must be 'scenes' or 'NAME:PATH'")
    return name, folder


def settings_for(data: str, **changes: Any) -> SemanticSettings:
    """The recipe of a data set with some options changed; None stands for the recipe's value.

    Raises:
        TypeError: an option that does not exist, or a value of another type.
        ValueError: data of another form, or a value outside its range.
    """
    recipe = SCENES if split_data(data)[0] == "scenes" else PHOTOGRAPHS
    given = {name: value for name, value in changes.items() if value is not None}
    for name in given:
        if name not in recipe.to_dict():
            raise TypeError(f"`{name}` is not a setting; there are {', '.join(recipe.to_dict())}")
    return replace(recipe, **given)


def _check_count(name: str, value: Any) -> None:
    # bool is an int to Python, but `steps=True` is a mistake.
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"`{name}` (={value!r}) must be an integer")
    if value < 1:
        raise ValueError(f"`{name}` (={value}) must be at least 1")


def _check_number(name: str, value: Any) -> None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError(f"`{name}` (={value!r}) must be a number")
    if not 0 <= value < float("inf"):
        raise ValueError(f"`{name}` (={value}) must be finite and not negative")


SCENES = SemanticSettings()
PHOTOGRAPHS = SemanticSettings(
    steps=600, batch_size=8, size=120, train_frames=None, val_frames=None
)
