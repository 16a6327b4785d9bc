"""Options that several verbs share, and helpers for them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

FILE = click.Path(path_type=Path, dir_okay=False)
Verb = TypeVar("Verb", bound=Callable[..., Any])


class OrNull(click.ParamType):  # type: ignore[type-arg]
    """A parameter type that also accepts `null` for None, as configuration files do."""

    def __init__(self, kind: type) -> None:
        self._kind = click.types.convert_type(kind)
        self.name = self._kind.name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Convert a value from the command line; `null` becomes None."""
        return None if value == "null" else self._kind.convert(value, param, ctx)


def option(name: str, help_text: str, kind: Any, default: Any = None) -> Callable[[Verb], Verb]:
    """Make an option that shows its default, or says that it depends on task and data."""
    if default is None:
        help_text += "  [default: depends on task and data]"
        return click.option(name, type=kind, help=help_text)
    return click.option(name, type=kind, default=default, show_default=True, help=help_text)


def settings_options(null: bool = False) -> Callable[[Verb], Verb]:
    """Make the settings of a run, which `dysample compare` and `dysample train` share.

    Args:
        null: accept `null` for settings that may be None, to override a configuration.
    """
    count, text = (OrNull(int), OrNull(str)) if null else (int, str)
    options = (
        option(
            "--model",
            "'small', or one of the papers: segformer_b0 to b5, maskformer_swin_tiny to large; r50,"
            " r101; swin_tiny to large.",
            str,
            "small",
        ),
        option(
            "--encoder", "Encoder of small models: 'conv', or pretrained 'efficientnet_lite0'.", str
        ),
        option(
            "--weights", "File of the encoder's weights; or 'pretrained' to download them.", text
        ),
        option(
            "--head",
            "'plain', or 'skip' to concatenate the finest features (semantic, depth).",
            str,
        ),
        option("--steps", "Optimiser steps.", int),
        option("--batch-size", "Images per step, over all processes.", int),
        option("--learning-rate", "Peak learning rate.", float),
        option("--weight-decay", "Weight decay of AdamW.", float),
        option("--width", "Channels of the head or feature pyramid.", int),
        option("--size", "Image height in pixels.", int),
        option("--train-frames", "Training images.", count),
        option("--val-frames", "Validation images.", count),
        option("--frozen/--no-frozen", "Do not train a small model's pretrained encoder.", bool),
        option(
            "--upsampler-rate", "Learning rate of the upsamplers, relative to the others'.", float
        ),
        option(
            "--augment/--no-augment",
            "Scale, crop and colour photographs at random, besides flips.",
            bool,
        ),
    )

    def add(verb: Verb) -> Verb:
        for one in reversed(options):
            verb = one(verb)
        return verb

    return add


def hyphenated(name: str) -> str:
    """Return the name of an option as it is shown; with underscores, as in files, it works too."""
    return name.replace("_", "-")


def check_folder(name: str, path: Path | None) -> None:
    """Raise unless the folder of the file given by the option `name` exists."""
    if path is not None and not path.parent.is_dir():
        raise click.UsageError(f"`{name}` must lie in a folder that exists: {path.parent}")


def given(context: click.Context, parameter: str) -> bool:
    """Whether an option was given on the command line."""
    source = context.get_parameter_source(parameter)
    return source is click.core.ParameterSource.COMMANDLINE
