"""The id of a run: a hash of all that it depends on."""

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from dysample.files import named


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
    """SHA-256 of a file, which is read once for all runs of a comparison unless it is `changed`."""
    with named(path):
        return hashlib.sha256(path.read_bytes()).hexdigest()
