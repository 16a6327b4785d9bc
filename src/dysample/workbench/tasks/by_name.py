"""Tasks by name."""

from importlib import import_module

from dysample.workbench.settings import TASKS
from dysample.workbench.tasks.base import Task


def task_class(name: str) -> type[Task]:
    """Return the class of a task; only that task's libraries are imported.

    Raises:
        ValueError: an unknown name.
    """
    if name not in TASKS:
        raise ValueError(f"`task` (={name!r}) must be one of {', '.join(TASKS)}")
    home = "objects" if name in ("detection", "instance") else name
    module = import_module(f"dysample.workbench.tasks.{home}")
    found: type[Task] = getattr(module, f"{name.capitalize()}Task")
    return found
