"""Which runs belong together: runs of one group, and the trials that chose their learning rate."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from dysample.workbench.record import Record


def row_name(record: Record) -> str:
    """Name of the upsampler with the options that were set."""
    options = ", ".join(f"{key}={value}" for key, value in record.upsampler_options.items())
    return f"{record.upsampler}({options})" if options else record.upsampler


def scale_of(record: Record) -> float | None:
    """The scale of the learning rate that was given to a run or chosen for it."""
    return record.settings.get("rate_scale")


def is_trial(record: Record) -> bool:
    """Whether a run only helped to choose a learning rate, on held-out training images."""
    return bool(record.settings.get("held_out")) and scale_of(record) is not None


def run_key(record: Record) -> str:
    """A key that is equal for runs that are compared; those of a chosen rate at any scale."""
    tuned = scale_of(record) is not None
    return canonical([record.task, record.data, shared_settings(record), tuned])


def search_key(record: Record) -> str:
    """A key that is equal for runs of a chosen rate and the trials for them."""
    return canonical([record.task, search_data(record), shared_settings(record)])


def shared_settings(record: Record) -> dict[str, Any]:
    """The settings that a run shares with its group, and a trial with the runs it is for."""
    return {
        key: value
        for key, value in record.settings.items()
        if key != "rate_scale" and (key != "held_out" or (value and not is_trial(record)))
    }


def search_data(record: Record) -> dict[str, Any]:
    """The data without the validation images, of which trials see none."""
    data = dict(record.data)
    val = data.pop("val")
    return data | {"train": data["train"] + val} if is_trial(record) else data


def check_once(name: str, records: Sequence[Record]) -> None:
    """Raise for two runs of one seed, or two trials of one seed and scale, beside each other.

    Args:
        name: of the upsampler.
        records: in the order of seeds, or of scales and seeds.

    Raises:
        ValueError: they share everything else that a group does.
    """
    for one, other in pairwise(records):
        scales = (scale_of(one), scale_of(other))
        if one.seed != other.seed or (is_trial(one) and scales[0] != scales[1]):
            continue
        why = "from other weights or another precision"
        if scales[0] != scales[1]:
            why = f"at `rate_scale` {scales[0]:g} and {scales[1]:g}"
        raise ValueError(
            f"{one.source} and {other.source}: {name}, seed {one.seed}, twice under the same"
            f" settings, {why}: put them into two files"
        )


def canonical(value: Any) -> str:
    """A text that is equal for two plain values exactly if they are equal."""
    return json.dumps(value, sort_keys=True)
