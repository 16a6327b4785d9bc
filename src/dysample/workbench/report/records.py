"""Read the result file: one finished run a line, checked field by field."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dysample.lines import read_lines

SCHEMA = 1
MAIN = 2
"""So many measures, the first ones of a run, are shown with their differences to bilinear."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Measure:
    """One of a run's metrics, as named in print, in full and in a narrow column."""

    name: str
    short: str
    higher_is_better: bool


# Lines written before there were other tasks name no measures.
_SEMANTIC = {
    "miou": Measure("mIoU", "mIoU", True),
    "boundary_iou": Measure("boundary IoU", "bound. IoU", True),
}


@dataclass(frozen=True)
class Sampling:
    """Where one upsampler sampled one frame; `positions` is still encoded, see `samples`."""

    height: int
    width: int
    out_height: int
    out_width: int
    groups: int
    positions: str


@dataclass(frozen=True)
class Sample:
    """One validation frame of a run; the pictures are still encoded, see `samples`."""

    index: int
    image: str
    label: str
    prediction: str
    sampling: Sampling | None


@dataclass(frozen=True)
class Curve:
    """The training loss on the way: at each step the mean since the one before."""

    step: tuple[int, ...]
    loss: tuple[float, ...]


@dataclass(frozen=True)
class Record:
    """
    One finished run. MACs are per image, seconds are those of the training.

    `classes` holds metrics by class, by their key; `parts` the main metrics over equal parts of
    the validation images, in their order. What a line of an older version lacks is empty.
    """

    source: str  # "`FILE` line 7", for errors found later
    run: str
    task: str
    data: Mapping[str, Any]
    upsampler: str
    options: Mapping[str, Any]
    guided: bool
    seed: int
    settings: Mapping[str, Any]
    measures: Mapping[str, Measure]
    metrics: Mapping[str, float | None]  # of each measure; None where it is undefined
    parameters: int
    upsampler_parameters: int
    macs: int
    upsampler_macs: int
    seconds: float
    samples: tuple[Sample, ...]
    classes: Mapping[str, Mapping[str, float | None]]
    parts: Mapping[str, tuple[float | None, ...]]
    curve: Curve | None
    versions: Mapping[str, str]
    machine: Mapping[str, Any]
    finished: str


def read_records(path: Path) -> list[Record]:
    """
    Every run of the file in order of appearance; of lines with the same run id the last counts.

    A last line without an end, left by a killed writer, is skipped with a note in the log. Any
    other line that cannot be read is a ValueError.
    """
    if not path.is_file():
        raise ValueError(f"`{path}`: no such result file")
    records: dict[str, Record] = {}
    lines = read_lines(path)
    if lines.torn:
        _log.warning("`%s`: the last line is skipped, its writer was stopped before the end", path)
    for number, entry in lines.values:
        source = f"`{path}` line {number}"
        try:
            record = _record(entry, source)
        except ValueError as error:
            raise ValueError(f"{source}: {error}") from None
        records[record.run] = record
    return list(records.values())


def _record(entry: Any, source: str) -> Record:
    schema = _field(entry, "schema", int)
    if schema != SCHEMA:
        raise ValueError(f"`schema` (={schema}) must be {SCHEMA}")
    data = _field(entry, "data", dict)
    for key, kind in (("name", str), ("height", int), ("width", int), ("classes", list)):
        _field(entry, f"data.{key}", kind)
    measures = _measures(entry)
    return Record(
        source=source,
        run=_field(entry, "run", str),
        task=_field(entry, "task", str),
        data=data,
        upsampler=_field(entry, "upsampler", str),
        options=_field(entry, "upsampler_options", dict),
        guided=_field(entry, "guided", bool),
        seed=_field(entry, "seed", int),
        settings=_field(entry, "settings", dict),
        measures=measures,
        metrics={
            name: _number_or_none(_field(entry, f"metrics.{name}", object), f"metrics.{name}")
            for name in measures
        },
        parameters=_field(entry, "parameters.total", int),
        upsampler_parameters=_field(entry, "parameters.upsamplers", int),
        macs=_field(entry, "macs.total", int),
        upsampler_macs=_field(entry, "macs.upsamplers", int),
        seconds=_number(entry, "seconds.train"),
        samples=tuple(_sample(sample) for sample in _field(entry, "samples", list)),
        classes={
            key: _numbers_by_name(entry, f"metrics.{key}")
            for key, values in _field(entry, "metrics", dict).items()
            if isinstance(values, dict)
        },
        parts={key: _numbers(entry, f"parts.{key}") for key in _optional(entry, "parts", dict, {})},
        curve=_curve(entry) if "curve" in entry else None,
        versions=_optional(entry, "versions", dict, {}),
        machine=_optional(entry, "machine", dict, {}),
        finished=_optional(entry, "finished", str, ""),
    )


def _measures(entry: Any) -> Mapping[str, Measure]:
    if "measures" not in entry:
        return _SEMANTIC
    found = _field(entry, "measures", dict)
    if len(found) < MAIN:
        raise ValueError(f"`measures` (={list(found)}) must name at least {MAIN} metrics")
    return {
        key: Measure(
            name=_field(measure, "name", str),
            short=_field(measure, "short", str),
            higher_is_better=_field(measure, "higher_is_better", bool),
        )
        for key, measure in found.items()
    }


def _sample(entry: Any) -> Sample:
    sampling = entry.get("sampling") if isinstance(entry, dict) else None
    return Sample(
        index=_field(entry, "index", int),
        image=_field(entry, "image", str),
        label=_field(entry, "label", str),
        prediction=_field(entry, "prediction", str),
        sampling=None if sampling is None else _sampling(sampling),
    )


def _sampling(entry: Any) -> Sampling:
    sizes = {
        name: _field(entry, name, int)
        for name in ("height", "width", "out_height", "out_width", "groups")
    }
    return Sampling(**sizes, positions=_field(entry, "positions", str))


def _curve(entry: Any) -> Curve | None:
    steps, losses = _numbers(entry, "curve.step"), _numbers(entry, "curve.loss")
    if len(steps) != len(losses):
        raise ValueError(f"`curve` has {len(steps)} steps and {len(losses)} losses")
    points = [(int(step), loss) for step, loss in zip(steps, losses) if step and loss is not None]
    return Curve(*zip(*points)) if points else None


def _numbers(entry: Any, path: str) -> tuple[float | None, ...]:
    """A list of numbers, null among them."""
    return tuple(_number_or_none(value, path) for value in _field(entry, path, list))


def _numbers_by_name(entry: Any, path: str) -> dict[str, float | None]:
    # Not `_number`: a class's name may hold dots.
    values = _field(entry, path, dict)
    return {name: _number_or_none(value, path) for name, value in values.items()}


def _optional(entry: Any, key: str, kind: type, default: Any) -> Any:
    return _field(entry, key, kind) if key in entry else default


def _field(entry: Any, path: str, kind: type) -> Any:
    """The value at a dotted path, of exactly this JSON type."""
    value = entry
    for key in path.split("."):
        if not isinstance(value, dict) or key not in value:
            raise ValueError(f"`{path}` is missing")
        value = value[key]
    # bool is a subclass of int: true is no seed.
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ValueError(f"`{path}` must be of type {kind.__name__}, not {type(value).__name__}")
    return value


def _number(entry: Any, path: str) -> float:
    return _finite(_field(entry, path, object), path)


def _number_or_none(value: Any, path: str) -> float | None:
    return None if value is None else _finite(value, path)


def _finite(value: Any, path: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"`{path}` (={value}) must be a finite number")
    return float(value)
