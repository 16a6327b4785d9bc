"""The description of a run: what is trained, on which data, and by what means."""

import difflib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from torch import nn

from dysample.files import named
from dysample.workbench.choose import UpsamplerSpec
from dysample.workbench.settings import Settings, check_seed, settings_for
from dysample.workbench.tasks.by_name import task_class
from dysample.workbench.training_options import TrainingOptions


@dataclass(frozen=True)
class RunSpec:
    """All that a run depends on.

    Attributes:
        task: semantic, detection, instance, panoptic or depth.
        data: ``"scenes"`` or ``"NAME:PATH"``.
        upsampler: the same for every upsampling step of the model.
        seed: of the initial values and the data order; runs of different upsamplers with one seed
            differ in the upsamplers alone.
        settings: what the run computes.
        training: by what means.

    Raises:
        TypeError, ValueError: an unknown task, data of another form, settings of another task, a
            seed that is not a 64-bit integer, a frozen encoder without pretrained weights, or a
            batch that cannot be split as `training` says.
    """

    task: str
    data: str
    upsampler: UpsamplerSpec
    seed: int
    settings: Settings
    training: TrainingOptions

    def __post_init__(self) -> None:
        """Check what the parts do not check themselves."""
        kind = type(settings_for(self.task, self.data))
        if type(self.settings) is not kind:
            raise TypeError(f"`settings` of {self.task} must be {kind.__name__}")
        object.__setattr__(self, "seed", check_seed(self.seed))
        self.settings.check_start()
        self.training.check_batch_size(self.settings.batch_size)

    @classmethod
    def from_dict(cls, options: Mapping[str, Any]) -> "RunSpec":
        """Build a run from its options by name, as `to_dict` returns them.

        Options that are left out are those of the recipe of task and data.

        Raises:
            KeyError: no `task`.
            TypeError, ValueError: an unknown option, or a value that does not fit.
        """
        run = {"data": "scenes", "upsampler": "dysample", "seed": 0, **options}
        for name in ("task", "data"):
            if not isinstance(run[name], str):
                raise ValueError(f"`{name}` (={run[name]!r}) must be a name")
        recipe = settings_for(run["task"], run["data"], model=run.get("model"))
        of_settings, of_training = (
            {one.name: run[one.name] for one in fields(kind) if one.name in run}
            for kind in (recipe, TrainingOptions)
        )
        _check_names(run, recipe)
        return cls(
            run["task"],
            run["data"],
            UpsamplerSpec.parse(run["upsampler"]),
            run["seed"],
            replace(recipe, **of_settings),
            TrainingOptions(**of_training),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return every option by name, in one level, as plain data for YAML and checkpoints."""
        return {
            "task": self.task,
            "data": self.data,
            "upsampler": self.upsampler.label,
            "seed": self.seed,
            **asdict(self.settings),
            **asdict(self.training),
        }

    @property
    def label(self) -> str:
        """Name for people."""
        parts = [f"{self.task} {self.upsampler.label} seed {self.seed}"]
        if self.settings.rate_scale is not None:
            parts.append(f"rate x {self.settings.rate_scale:g}")
        if self.settings.held_out:
            parts.append("held-out images")
        return ", ".join(parts)

    @cached_property
    def about(self) -> dict[str, Any]:
        """The description of the data in a record, without rendering or decoding them.

        Raises:
            ValueError, FileNotFoundError: as `Task.describe`.
        """
        return task_class(self.task).describe(self.data, self.settings)

    def with_about(self, about: dict[str, Any]) -> "RunSpec":
        """Return the run on data that are described already, and need not be there."""
        run = replace(self)
        run.__dict__["about"] = about
        return run

    @cached_property
    def id(self) -> str:
        """12 hex digits that are equal for two runs exactly if they would compute the same thing.

        A file of weights counts by what it holds, not by its name.

        Raises:
            ValueError, FileNotFoundError: as `about`.
        """
        settings, training = self.settings.to_dict(), self.training.identity()
        if self.settings.weights is not None:
            file = Path(self.settings.weights).expanduser()
            if file.is_file():
                settings["weights"] = _digest(file, file.stat().st_mtime_ns)
        identity = {
            "task": self.task,
            "data": self.about,
            "upsampler": self.upsampler.name,
            "upsampler_options": self.upsampler.options,
            "seed": self.seed,
            "settings": settings,
            **({"training": training} if training else {}),
        }
        text = json.dumps(identity, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def folder(self, output: Path) -> Path:
        """Where the run's checkpoints and logs are, in the folder of a comparison."""
        name = f"{self.task}-{self.upsampler.name}-seed{self.seed}-{self.id}"
        return output / "runs" / name

    def build_model(self) -> nn.Module:
        """Build the model; runs of one seed differ in the upsamplers alone.

        Raises:
            ValueError, TypeError: values that do not fit, or of sizes that torch cannot make.
        """
        return build(self.task, self.upsampler, self.about, self.settings, self.seed)


def build(
    task: str, upsampler: UpsamplerSpec, about: dict[str, Any], settings: Settings, seed: int
) -> nn.Module:
    """Build the model of a task.

    Args:
        task: its name.
        upsampler: the same for every upsampling step.
        about: the description of the data.
        settings: without `weights`, they may be loaded afterwards.
        seed: of the random weights.

    Raises:
        ValueError, TypeError: as `RunSpec.build_model`.
    """
    try:
        return task_class(task).build_model(
            upsampler.name, upsampler.options, about, settings, seed
        )
    except (RuntimeError, OverflowError, MemoryError) as error:
        given = f"`upsampler` (={upsampler.label}), `width` (={settings.width})"
        reason = " ".join(str(error).split())[:300] or "out of memory"
        raise ValueError(f"{given}: {upsampler.name} cannot be built: {reason}") from error


def _check_names(options: Mapping[str, Any], recipe: Settings) -> None:
    known = ["task", "data", "upsampler", "seed"]
    known += [one.name for kind in (recipe, TrainingOptions) for one in fields(kind)]
    for name in options:
        if name not in known:
            near = difflib.get_close_matches(name, known)
            hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(known)}"
            raise ValueError(f"`{name}` is not an option of {options['task']}: {hint}")


@lru_cache
def _digest(path: Path, changed: int) -> str:
    """SHA-256 of a file, which is read once for all runs of a comparison unless it is `changed`."""
    with named(path):
        return hashlib.sha256(path.read_bytes()).hexdigest()
