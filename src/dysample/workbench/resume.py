"""Check whether a training may start or resume in a folder, before anything is written there."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dysample.workbench.checkpoints import LAST, read_checkpoint
from dysample.workbench.config import CONFIG, Config, load_config
from dysample.workbench.results import RESULTS, ResultFile
from dysample.workbench.tasks.by_name import task_class


def check_folder(folder: Path, config: Config, run: str, resume: bool) -> None:
    """Raise unless a run may start in a folder or, with `resume`, continue what is there.

    Args:
        folder: that exists.
        config: of the run.
        run: its id.
        resume: whether an earlier run may be there.

    Raises:
        ValueError: another run is there, and the message lists every setting that differs; or a
            file is damaged.
    """
    held = [name for name in (LAST, RESULTS, CONFIG) if (folder / name).exists()]
    if held and not resume:
        raise ValueError(
            f"`output` (={folder}) holds a run already ({held[0]}): --resume continues it, "
            "--output takes another folder"
        )
    finished = ResultFile(folder / RESULTS).finished()
    if LAST in held:
        found = read_checkpoint(folder / LAST)
        if found["run"] != run:
            there = {**_dict(found["recipe"]), "data": _dict(found["about"])}
            about = task_class(config.task).describe(config.data, config.settings)
            _refuse(folder / LAST, there, {**_identity(config), "data": about})
        read_checkpoint(folder / LAST, run)
    elif CONFIG in held:
        here = _identity(config)
        there = _identity(load_config(folder / CONFIG))
        if there != here:
            _refuse(folder / CONFIG, there, here)
    elif finished and run not in finished:
        raise ValueError(
            f"`output` (={folder}) must hold this run, but its {RESULTS} holds others: --output "
            "takes another folder"
        )


def _identity(config: Config) -> dict[str, Any]:
    """Return what identifies a run; the path of a data set does not."""
    found = {**asdict(config), "training": config.training.identity()}
    del found["output"]
    return {**found, "data": {"name": config.data.partition(":")[0]}}


def _refuse(path: Path, there: dict[str, Any], here: dict[str, Any]) -> None:
    differences = list(_differences(there, here)) or ["the file of `settings.weights` has changed"]
    raise ValueError(
        f"{path} must be of the same run to be gone on with, but {'; '.join(differences)}; give "
        "what it has, or another --output"
    )


def _differences(there: Any, here: Any, name: str = "") -> Iterator[str]:
    """List each value that differs, with both values."""
    if isinstance(there, dict) and isinstance(here, dict):
        for key in dict.fromkeys([*there, *here]):
            inner = f"{name}.{key}" if name else str(key)
            yield from _differences(there.get(key, _DEFAULT), here.get(key, _DEFAULT), inner)
    elif there != here:
        yield f"`{name}` is {_shown(there)} there and {_shown(here)} here"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


class _Default:
    def __repr__(self) -> str:
        return "the default"


_DEFAULT = _Default()
