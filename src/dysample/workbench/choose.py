"""Parse comma-separated lists of tasks and upsamplers."""

import ast
import re
from dataclasses import dataclass, field
from typing import Any

from dysample.registry import get_entry, list_upsamplers
from dysample.workbench.settings import TASKS

DESIGN_STEPS = "dysample_step_*"


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


@dataclass(frozen=True)
class Choice:
    """An upsampler with its options.

    Attributes:
        name: registered.
        options: given to `create_upsampler`; they override those of the name.
    """

    name: str
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """The upsampler as a user writes it, such as ``dysample(groups=8)``."""
        options = ", ".join(f"{key}={value!r}" for key, value in self.options.items())
        return f"{self.name}({options})" if options else self.name


def choose_upsamplers(text: str) -> list[Choice]:
    """Return the upsamplers in a comma-separated list, in order.

    Each is a name, a name with options as in Python (``dysample(groups=8, style='pl')``), or a
    shell pattern of names. "all" stands for every registered upsampler except the design steps of
    the paper's ablation.

    Raises:
        ValueError: an unknown name, a pattern that matches nothing, or malformed options.
    """
    chosen: list[Choice] = []
    # Commas within parentheses separate options.
    for word in (word.strip() for word in re.split(r",(?![^(]*\))", text)):
        if word == "all":
            steps = set(list_upsamplers(DESIGN_STEPS))
            found = [Choice(name) for name in list_upsamplers() if name not in steps]
        elif "(" in word:
            found = [_with_options(word)]
        elif any(mark in word for mark in "*?["):
            found = [Choice(name) for name in list_upsamplers(word)]
            if not found:
                raise ValueError(f"`upsamplers` (={word!r}) must fit a name of the registry")
        else:
            found = [Choice(_known(word))]
        chosen += [choice for choice in found if choice not in chosen]
    return chosen


def _known(name: str) -> str:
    try:
        return get_entry(name).name
    except ValueError as error:
        raise ValueError(f"in `upsamplers`: {error}") from error


def _with_options(word: str) -> Choice:
    try:
        call = ast.parse(word, mode="eval").body
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.args:
            raise ValueError("not of that form")
        options = {str(option.arg): ast.literal_eval(option.value) for option in call.keywords}
    except (SyntaxError, ValueError):
        raise ValueError(
            f"`upsamplers` (={word!r}) must be like NAME(option=1, other='text')"
        ) from None
    return Choice(_known(call.func.id), options)
