"""Shared helpers for the verbs' options."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

FILE = click.Path(path_type=Path, dir_okay=False)
Verb = TypeVar("Verb", bound=Callable[..., Any])


def option(name: str, help_text: str, kind: Any, default: Any = None) -> Callable[[Verb], Verb]:
    """Make an option that shows its default; without one the recipe of task and data sets it."""
    if default is None:
        help_text += "  [default: depends on task and data]"
        return click.option(name, type=kind, help=help_text)
    return click.option(name, type=kind, default=default, show_default=True, help=help_text)


def check_folder(name: str, path: Path | None) -> None:
    """Raise unless the folder of the file given by the option `name` exists."""
    if path is not None and not path.parent.is_dir():
        raise click.UsageError(f"`{name}` must lie in a folder that exists: {path.parent}")


def given(context: click.Context, parameter: str) -> bool:
    """Whether an option was given on the command line."""
    source = context.get_parameter_source(parameter)
    return source is click.core.ParameterSource.COMMANDLINE
