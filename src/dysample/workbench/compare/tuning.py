"""The search for each upsampler's learning rate, on training images that are held out for it."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from dysample.workbench.numbers import number
from dysample.workbench.record import Record
from dysample.workbench.run_spec import RunSpec

SCALES = (1.0, 0.3, 0.1, 0.03)
"""The scales of the learning rate that are tried: see `Settings.rate_scale`."""


def trials_of(specs: Sequence[RunSpec]) -> list[list[RunSpec]]:
    """Return for each run its trials: the same run at every scale, on held-out images.

    They have the seed and the steps of the run, and so cost as much.

    Raises:
        ValueError: training images that cannot be divided.
    """
    abouts: dict[str, dict[str, Any]] = {}
    found = []
    for spec in specs:
        of_spec = [
            replace(spec, settings=replace(spec.settings, rate_scale=scale, held_out=True))
            for scale in SCALES
        ]
        if spec.task not in abouts:  # read from the disk once
            abouts[spec.task] = of_spec[0].about
        found.append([trial.with_about(abouts[spec.task]) for trial in of_spec])
    return found


def choose(
    trials: Sequence[RunSpec], records: Iterable[Record], diverged: Iterable[str]
) -> tuple[float, str] | None:
    """Choose the scale of a run by the first measure of its trials.

    Of equal trials, that of the larger scale counts. A trial that diverged is the worst.

    Args:
        trials: of the run, from `trials_of`.
        records: of finished runs, with the trials among them.
        diverged: ids of trials without a record because their training diverged.

    Returns:
        The scale, and the choice in words; None if trials are missing, or all of them diverged.
    """
    ids = [trial.id for trial in trials]
    found = {record.run: record for record in records if record.run in ids}
    if not found or {*ids} - {*found, *diverged}:
        return None
    there = [found[run] for run in ids if run in found]
    key, measure = next(iter(there[0].measures.items()))
    sign = 1 if measure.higher_is_better else -1

    def score(record: Record) -> float:
        value = record.value(key)
        return -math.inf if value is None else sign * value

    best = max(there, key=score)
    tried = ", ".join(f"{_text(one.value(key))} at {_scale(one):g}" for one in there)
    first = trials[0]
    line = f"{first.task} {first.upsampler.label}: rate x {_scale(best):g} ({measure.name} {tried})"
    return _scale(best), line


def _scale(record: Record) -> float:
    return float(record.settings["rate_scale"])


def _text(value: float | None) -> str:
    return "-" if value is None else number(value)
