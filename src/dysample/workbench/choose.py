"""What to compare, from a user's comma-separated lists."""

from dysample.registry import get_entry, list_upsamplers
from dysample.workbench.settings import TASKS

DESIGN_STEPS = "dysample_step_*"


def choose_tasks(text: str) -> list[str]:
    """Names of a comma-separated list, in the given order; "all" stands for every task.

    Raises:
        ValueError: an unknown name.
    """
    names: list[str] = []
    for word in (word.strip() for word in text.split(",")):
        if word != "all" and word not in TASKS:
            raise ValueError(f"`tasks` (={word!r}) must be 'all' or of {', '.join(TASKS)}")
        names += [name for name in (TASKS if word == "all" else [word]) if name not in names]
    return names


def choose_upsamplers(text: str) -> list[str]:
    """Names of a comma-separated list of names and shell patterns, in the given order.

    "all" stands for every registered upsampler except the design steps of the paper's ablation.

    Raises:
        ValueError: an unknown name, or a pattern that no name fits.
    """
    names: list[str] = []
    for word in (word.strip() for word in text.split(",")):
        if word == "all":
            steps = set(list_upsamplers(DESIGN_STEPS))
            found = [name for name in list_upsamplers() if name not in steps]
        elif any(mark in word for mark in "*?["):
            found = list_upsamplers(word)
            if not found:
                raise ValueError(f"`upsamplers` (={word!r}) must fit a name of the registry")
        else:
            try:
                found = [get_entry(word).name]
            except ValueError as error:
                raise ValueError(f"in `upsamplers`: {error}") from error
        names += [name for name in found if name not in names]
    return names
