"""The record of a finished run: one JSON object that explains itself."""

import hashlib
import json
import platform
from datetime import datetime, timezone
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from dysample.files import named

SCHEMA = 1


def run_id(
    task: str,
    data: dict[str, Any],
    upsampler: str,
    upsampler_options: dict[str, Any],
    seed: int,
    settings: dict[str, Any],
    training: dict[str, Any] | None = None,
) -> str:
    """12 hex digits that are equal for two runs exactly if they would compute the same thing.

    Args:
        task: such as ``"semantic"``.
        data: the record's description, from `Task.describe`.
        upsampler: registered name.
        upsampler_options: given to `create_upsampler`.
        seed: of the run.
        settings: the options by name; a file of weights counts by what it holds, not by its name.
        training: those of training that change what is computed, where they are not the default.

    Raises:
        TypeError, ValueError: an upsampler option that JSON cannot hold.
    """
    try:
        json.dumps(upsampler_options, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise type(error)(f"`upsampler_options` must fit into JSON: {error}") from error
    if settings.get("weights") is not None:
        file = Path(settings["weights"]).expanduser()
        if file.is_file():
            settings = {**settings, "weights": _digest(file, file.stat().st_mtime_ns)}
    identity = {
        "task": task,
        "data": data,
        "upsampler": upsampler,
        "upsampler_options": upsampler_options,
        "seed": seed,
        "settings": settings,
        **({"training": training} if training else {}),
    }
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@lru_cache
def _digest(path: Path, changed: int) -> str:
    """Of a file's bytes, read once for all the runs of a comparison unless it is `changed`."""
    with named(path):
        return hashlib.sha256(path.read_bytes()).hexdigest()


def surroundings() -> dict[str, Any]:
    """The record's `versions`, `machine` and `finished` (now)."""
    return {
        "versions": {
            "dysample": version("dysample"),
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
        "machine": {"cpu": _cpu(), "threads": torch.get_num_threads()},
        "finished": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }


def _cpu() -> str:
    """The processor's name; platform has only its architecture on Linux."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.processor() or platform.machine()
