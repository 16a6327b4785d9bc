"""The configuration of a training: YAML files and command-line options, checked together."""

import argparse
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import ArgumentParser

from dysample.files import named
from dysample.workbench.documents import LONGEST, MODE, load_yaml
from dysample.workbench.settings import Settings, check_seed, settings_for
from dysample.workbench.training import TrainingOptions

CONFIGS = {path.stem: path for path in sorted((Path(__file__).parent / "configs").glob("*.yaml"))}
"""The configurations that come with the package, by name."""

CONFIG = "config.yaml"
"""The configuration of a run, in its folder."""

_HELP = ("-h", "--help")


@dataclass(frozen=True, kw_only=True)
class Config:
    """What is trained, and where the result goes.

    Attributes:
        task: semantic, detection, instance, panoptic or depth.
        data: scenes (embedded), or NAME:PATH as for `dysample data`.
        upsampler: registered name.
        upsampler_options: options of the upsampler, such as `--upsampler_options.groups 8`.
        seed: of the initial values and of the data order.
        settings: the recipe of the task.
        training: validation schedule and compute options.
        output: folder for checkpoints, logs, config.yaml and results.jsonl.

    Raises:
        TypeError, ValueError: the seed is not a 64-bit integer.
    """

    task: str
    data: str = "scenes"
    upsampler: str = "dysample"
    upsampler_options: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    settings: Settings
    training: TrainingOptions = field(default_factory=TrainingOptions)
    output: Path

    def __post_init__(self) -> None:
        """Check the seed; settings and training check themselves."""
        object.__setattr__(self, "seed", check_seed(self.seed))

    def to_yaml(self) -> str:
        """Return it as a configuration file."""
        text: str = yaml.safe_dump({**asdict(self), "output": str(self.output)}, sort_keys=False)
        return text


def parse_config(arguments: Sequence[str]) -> tuple[Config, bool]:
    """Read a command line: ``[NAME] [--config FILE] [--resume] [--OPTION VALUE ...]``.

    Later options override earlier ones; the rest come from the recipe of task and data. Help and
    `--print_config` are printed, and end the process.

    Returns:
        The configuration, and whether to resume an earlier run.

    Raises:
        ValueError, TypeError: a wrong option or value, or no task.
        FileNotFoundError: no such file.
    """
    arguments = list(arguments)
    if arguments and not arguments[0].startswith("-"):
        arguments[:1] = ["--config", str(_shipped(arguments[0]))]
    first = _first_look(arguments)
    if first.resume and first.output and not (first.config or first.task):
        saved = Path(first.output) / CONFIG
        if not saved.is_file():
            raise FileNotFoundError(f"`resume`: {saved} does not exist; there is no run to go on")
        arguments[:0] = ["--config", str(saved)]
        first = _first_look(arguments)
    task, data, model = _what_decides(first)
    if task is None:
        if not set(_HELP) & set(arguments):
            raise ValueError(
                f"`task` must be given: by NAME, one of {', '.join(CONFIGS)}; or by --config or "
                "--task"
            )
        task = "semantic"
    stem = Path(first.config[-1]).stem if first.config else task
    parser = _parser(settings_for(task, data, model=model), Path("runs") / stem)
    try:
        found = parser.instantiate(parser.parse_args(arguments))
    except argparse.ArgumentError as error:
        raise ValueError(str(error)) from error
    except RecursionError:
        raise ValueError("an option must not be nested so deeply") from None
    return Config(**{entry.name: found[entry.name] for entry in fields(Config)}), found["resume"]


def load_config(path: Path) -> Config:
    """Read a configuration file.

    Raises:
        ValueError, TypeError, FileNotFoundError: as `parse_config`.
    """
    config, _ = parse_config(["--config", str(path)])
    return config


def _shipped(name: str) -> Path:
    if name not in CONFIGS:
        raise ValueError(f"NAME (={name!r}) must be one of {', '.join(CONFIGS)}")
    return CONFIGS[name]


def _first_look(arguments: list[str]) -> argparse.Namespace:
    """Parse the few options on which the others depend."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--config", action="append", default=[])
    parser.add_argument("--resume", action="store_true")
    for name in ("task", "data", "output", "settings.model"):
        parser.add_argument(f"--{name}")
    try:
        return parser.parse_known_args(arguments)[0]
    except argparse.ArgumentError as error:
        raise ValueError(str(error)) from error


def _what_decides(first: argparse.Namespace) -> tuple[str | None, str, str | None]:
    """Return task, data and model, which select the recipe and so the available settings."""
    found: dict[str, Any] = {"task": None, "data": "scenes", "model": None}
    for name in first.config:
        path = Path(name)
        if not path.exists():
            raise FileNotFoundError(f"`config` (={name!r}) must be a file; it does not exist")
        if not path.is_file():
            raise ValueError(f"`config` (={name!r}) must be a file")
        try:
            content = load_yaml(_text(path))
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ValueError(f"`config` (={name!r}) must be YAML: {error}") from error
        except ValueError as error:
            raise ValueError(f"`config` (={name!r}) {error}") from error
        if not isinstance(content, dict):
            raise ValueError(f"`config` (={name!r}) must hold options by name")
        settings = content.get("settings")
        for part in (content, settings if isinstance(settings, dict) else {}):
            found.update({key: part[key] for key in found if key in part})
    given = {"task": first.task, "data": first.data, "model": getattr(first, "settings.model")}
    found.update({key: value for key, value in given.items() if value is not None})
    for key, value in found.items():
        if value is not None and not isinstance(value, str):
            raise ValueError(f"`{key}` (={value!r}) must be a name")
    return found["task"], found["data"], found["model"]


def _text(path: Path) -> str:
    """Read a file up to just above the size limit."""
    with named(path), path.open(encoding="utf-8") as file:
        return file.read(LONGEST + 1)


def _parser(recipe: Settings, output: Path) -> ArgumentParser:
    parser = ArgumentParser(
        prog="dysample train",
        usage="dysample train [NAME] [--config FILE] [--output FOLDER] [--resume] [--OPTION VALUE]",
        description=f"Train and evaluate one task. NAME is one of {', '.join(CONFIGS)}. "
        "`dysample train NAME -h` shows the settings of its task, `dysample train NAME "
        "--print_config` the whole configuration as YAML.",
        exit_on_error=False,
        parser_mode=MODE,
    )
    parser.add_argument("--config", action="config", help="YAML file, of any of these options")
    parser.add_argument(
        "--resume", action="store_true", help="go on with the run in the output folder"
    )
    parser.add_class_arguments(Config, skip={"settings"})
    parser.add_class_arguments(type(recipe), "settings")
    parser.set_defaults({f"settings.{name}": value for name, value in recipe.to_dict().items()})
    parser.set_defaults({"output": output})
    return parser
