"""Upsamplers with their options, and comma-separated lists of them and of tasks."""

import ast
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from dysample.registry import get_entry, list_upsamplers
from dysample.workbench.settings import TASKS

DESIGN_STEPS = "dysample_step_*"

_NO_OPTIONS = (SyntaxError, ValueError, TypeError, RecursionError, MemoryError)
"""What Python raises for a text that is not a call with literal arguments."""


@dataclass(frozen=True)
class UpsamplerSpec:
    """An upsampler with its options.

    Attributes:
        name: registered.
        options: given to `create_upsampler`; they override those of the name.

    Raises:
        ValueError, TypeError: an unknown name, or options that JSON cannot hold.
    """

    name: str
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check name and options; an upsampler checks their values when it is built."""
        get_entry(self.name)
        try:
            json.dumps(self.options, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise type(error)(
                f"options of `upsampler` (={self.label}) must fit into JSON: {error}"
            ) from error

    @property
    def label(self) -> str:
        """The upsampler as a user writes it, such as ``dysample(groups=8)``."""
        options = ", ".join(f"{key}={value!r}" for key, value in self.options.items())
        return f"{self.name}({options})" if options else self.name

    @classmethod
    def parse(cls, text: Any, argument: str = "upsampler") -> "UpsamplerSpec":
        """Read a name, or a name with options as in Python: ``dysample(groups=8, style='pl')``.

        Args:
            text: to read.
            argument: its name in errors.

        Raises:
            ValueError: an unknown name, or malformed options.
            TypeError: no text.
        """
        if not isinstance(text, str):
            raise TypeError(f"`{argument}` (={text!r}) must be text, such as dysample(groups=8)")
        name, options = (text, {}) if "(" not in text else _call(text, argument)
        try:
            return cls(name, options)
        except ValueError as error:
            raise ValueError(f"in `{argument}`: {error}") from error


def choose_tasks(text: str) -> list[str]:
    """Return the names in a comma-separated list, in order; "all" stands for every task.

    Raises:
        ValueError: an unknown name.
    """
    names: list[str] = []
    for word in (word.strip() for word in text.split(",")):
        if word != "all" and word not in TASKS:
            raise ValueError(f"`tasks` (={word!r}) must be 'all' or of {', '.join(TASKS)}")
        names += [name for name in (TASKS if word == "all" else [word]) if name not in names]
    return names


def choose_upsamplers(text: str, argument: str = "upsamplers") -> list[UpsamplerSpec]:
    """Return the upsamplers in a comma-separated list, in order.

    Each is as `UpsamplerSpec.parse` reads it, or a shell pattern of names. "all" stands for every
    registered upsampler except the design steps of the paper's ablation.

    Raises:
        ValueError: an unknown name, a pattern that matches nothing, or malformed options.
    """
    chosen: list[UpsamplerSpec] = []
    for word in _split(text):
        if word == "all":
            steps = set(list_upsamplers(DESIGN_STEPS))
            found = [UpsamplerSpec(name) for name in list_upsamplers() if name not in steps]
        elif "(" not in word and any(mark in word for mark in "*?["):
            found = [UpsamplerSpec(name) for name in list_upsamplers(word)]
            if not found:
                raise ValueError(f"`{argument}` (={word!r}) must fit a name of the registry")
        else:
            found = [UpsamplerSpec.parse(word, argument)]
        chosen += [one for one in found if one not in chosen]
    return chosen


def _split(text: str) -> Iterator[str]:
    """Split at commas; those within parentheses separate options."""
    word, depth = "", 0
    for character in f"{text},":
        depth = max(0, depth + (character == "(") - (character == ")"))
        if character == "," and depth == 0:
            yield word.strip()
            word = ""
        else:
            word += character
    if word:  # a parenthesis that is not closed
        yield word.rstrip(",").strip()


def _call(text: str, argument: str) -> tuple[str, dict[str, Any]]:
    try:
        call = ast.parse(text.strip(), mode="eval").body
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.args:
            raise ValueError("not of that form")
        options = {option.arg: ast.literal_eval(option.value) for option in call.keywords}
        if len(options) < len(call.keywords) or None in options:
            raise ValueError("an option twice, or **options")
    except _NO_OPTIONS:
        raise ValueError(
            f"`{argument}` (={text!r}) must be like NAME(option=1, other='text')"
        ) from None
    return call.func.id, {str(key): value for key, value in options.items()}
