"""Configurations of a training: YAML files and command-line options, merged and checked."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from dysample.files import named
from dysample.workbench.documents import LONGEST, load_yaml
from dysample.workbench.run_spec import RunSpec
from dysample.workbench.settings import CONFIGS

CONFIG = "config.yaml"
"""The configuration of a run, in its folder."""


def configure(
    name: str | None, files: Sequence[str | Path], options: Mapping[str, Any], resume: bool = False
) -> tuple[RunSpec, Path]:
    """Merge configurations and options: later files override earlier ones, options override files.

    What none of them gives is as in the recipe of task and data.

    Args:
        name: of a configuration in `CONFIGS`, which comes before the files; None for none.
        files: YAML, with options by name.
        options: those of a run (see `RunSpec.to_dict`), and `output`.
        resume: with `output` alone, take the configuration in that folder.

    Returns:
        The run, and the folder for its checkpoints, logs and results.

    Raises:
        ValueError, TypeError: a wrong option or value, or no task.
        FileNotFoundError: no such file.
    """
    if name is not None and name not in CONFIGS:
        raise ValueError(f"NAME (={name!r}) must be one of {', '.join(CONFIGS)}")
    paths = [*([] if name is None else [CONFIGS[name]]), *map(Path, files)]
    if resume and not paths and "task" not in options and "output" in options:
        saved = Path(options["output"]) / CONFIG
        if not saved.is_file():
            raise FileNotFoundError(f"`resume`: {saved} does not exist; there is no run to go on")
        paths = [saved]
    given: dict[str, Any] = {}
    for path in paths:
        given.update(_read(path))
    given.update(options)
    if "task" not in given:
        raise ValueError(
            f"`task` must be given: by NAME, one of {', '.join(CONFIGS)}; or by --config or --task"
        )
    output = given.pop("output", f"runs/{paths[-1].stem if paths else given['task']}")
    if not isinstance(output, str | Path):
        raise TypeError(f"`output` (={output!r}) must be a folder")
    return RunSpec.from_dict(given), Path(output)


def load_config(path: Path) -> tuple[RunSpec, Path]:
    """Read the configuration of a run and its folder; see `configure`."""
    return configure(None, [path], {})


def to_yaml(spec: RunSpec, output: Path) -> str:
    """Return a run and its folder as a configuration file, which holds every option."""
    text: str = yaml.safe_dump({**spec.to_dict(), "output": str(output)}, sort_keys=False)
    return text


def _read(path: Path) -> dict[str, Any]:
    """Read a configuration file."""
    where = f"`config` (={str(path)!r})"
    if not path.exists():
        raise FileNotFoundError(f"{where} must be a file; it does not exist")
    if not path.is_file():
        raise ValueError(f"{where} must be a file")
    try:
        with named(path), path.open(encoding="utf-8") as file:
            content = load_yaml(file.read(LONGEST + 1))  # just above the size limit
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{where} must be YAML: {error}") from error
    except ValueError as error:
        raise ValueError(f"{where} {error}") from error
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise ValueError(f"{where} must hold options by name")
    return content
