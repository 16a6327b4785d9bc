"""The record of a finished run: one line of a result file, written and read here alone."""

from __future__ import annotations

import logging
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from dysample.info import processor
from dysample.lines import read_lines
from dysample.workbench.decode import ELSEWHERE, decode, refused

VERSION = 1
"""Version of a line's schema; lines without `version` have version 1."""

MAIN = 2
"""So many measures, the first ones of a run, are compared with bilinear's."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Measure:
    """A number by which runs are compared.

    Attributes:
        name: in print.
        short: the same for the head of a narrow column; a space is where it may break.
        higher_is_better: its direction.
    """

    name: str
    short: str
    higher_is_better: bool = True


@dataclass(frozen=True)
class Curve:
    """The training loss: at each step the mean since the step before it in the list."""

    step: tuple[int, ...]
    loss: tuple[float, ...]


@dataclass(frozen=True)
class Size:
    """Parameters, or multiply-adds an image: of the whole model, and of its upsamplers."""

    total: int
    upsamplers: int


@dataclass(frozen=True)
class Seconds:
    """Wall-clock time of the training and of the last evaluation."""

    train: float
    evaluate: float


@dataclass(frozen=True)
class Machine:
    """The processor's name, and the threads of a run."""

    cpu: str
    threads: int


@dataclass(frozen=True)
class Sampling:
    """Where an upsampler sampled a frame.

    Attributes:
        height, width: of its input.
        out_height, out_width: of its output.
        groups: of channels with positions of their own.
        positions: (groups, 2, out_height, out_width) in base64, see `samples`.
    """

    height: int
    width: int
    out_height: int
    out_width: int
    groups: int
    positions: str


@dataclass(frozen=True)
class Sample:
    """One validation frame: its number, and pictures in base64, see `samples`."""

    index: int
    image: str
    label: str
    prediction: str
    sampling: Sampling | None


@dataclass(frozen=True)
class _Data:
    """The fields that every description of data has."""

    name: str
    height: int
    width: int
    classes: tuple[str, ...]
    train: int
    val: int


@dataclass(frozen=True)
class Record:
    """One finished run; the fields, in this order, are the keys of a line.

    Attributes:
        run: id, from `run_id`.
        task: such as ``"semantic"``.
        data: name, height, width, classes, number of training and validation images, and what
            else describes the data set.
        upsampler: registered name.
        upsampler_options: given to `create_upsampler`.
        guided: whether it reads a guide.
        seed: of the run.
        settings: the options of the run by name.
        training: by what means it was trained.
        metrics: numbers, None where undefined, or such by class.
        parts: the main metrics on equal parts of the validation images, in their order; empty
            where they were not measured.
        curve: the training loss.
        measures: the metrics by which runs are compared, the main ones first.
        parameters, macs, seconds: costs.
        versions: of the libraries, by name.
        machine: on which it ran.
        finished: time in ISO 8601, UTC.
        samples: a few validation frames.
        source: "`FILE` line 7", for errors; not in the file.
    """

    run: str
    task: str
    data: Mapping[str, Any]
    upsampler: str
    upsampler_options: Mapping[str, Any]
    guided: bool
    seed: int
    settings: Mapping[str, Any]
    training: Mapping[str, Any]
    metrics: Mapping[str, float | Mapping[str, float | None] | None]
    parts: Mapping[str, tuple[float | None, ...]]
    curve: Curve
    measures: Mapping[str, Measure]
    parameters: Size
    macs: Size
    seconds: Seconds
    versions: Mapping[str, str]
    machine: Machine
    finished: str
    samples: tuple[Sample, ...]
    source: str = field(default="", metadata=ELSEWHERE)

    def to_line(self) -> dict[str, Any]:
        """Plain data for a line of a result file."""
        line = asdict(self)
        del line["source"]
        return {"version": VERSION, **line}

    def value(self, key: str) -> float | None:
        """A metric that is one number; None where it is undefined."""
        value = self.metrics[key]
        return None if isinstance(value, Mapping) else value

    @property
    def by_class(self) -> Mapping[str, Mapping[str, float | None]]:
        """The metrics by class, by their keys."""
        return {key: value for key, value in self.metrics.items() if isinstance(value, Mapping)}


def read_records(path: Path) -> list[Record]:
    """Every run of a file in order of appearance; of lines with the same run id the last counts.

    A torn last line, which a killed writer can leave, is skipped with a note in the log.

    Raises:
        ValueError: no such file, or a line that is no record, naming file, line, key and value.
        OSError: it cannot be read.
    """
    if not path.is_file():
        raise ValueError(f"`{path}`: no such result file")
    lines = read_lines(path)
    if lines.torn:
        _log.warning("`%s`: the last line is skipped, its writer was stopped before the end", path)
    found = (parse_record(value, f"`{path}` line {number}") for number, value in lines.values)
    return list({record.run: record for record in found}.values())


def parse_record(line: Any, source: str) -> Record:
    """The record that a value of a result file holds.

    Args:
        line: as JSON holds it.
        source: "`FILE` line 7".

    Raises:
        ValueError: a line of another form or of a newer version, in one line of text that names
            file, line, key, rule and value.
    """
    try:
        _check_version(line)
        record = decode(Record, line, "")
        _check(record)
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from None
    return replace(record, source=source)


def _check_version(line: Any) -> None:
    if not isinstance(line, dict):
        raise refused("record", line, "an object")
    key = "version" if "version" in line else "schema"  # as the first release calls it
    found = line.get(key, VERSION)
    if type(found) is not int or found < 1:
        raise refused(key, found, "a whole number of at least 1")
    if found > VERSION:
        raise refused(
            key, found, f"at most {VERSION}: a newer dysample than {version('dysample')} wrote it"
        )


def _check(record: Record) -> None:
    """Raise for what the types of the fields do not say."""
    decode(_Data, record.data, "data")
    for key in ("model", "encoder", "head"):  # what runs are named by
        if record.settings.get(key) is not None:
            decode(str, record.settings[key], f"settings.{key}")
    if record.settings.get("held_out") is not None:  # what trials are told from runs by
        decode(bool, record.settings["held_out"], "settings.held_out")
    if (scale := record.settings.get("rate_scale")) is not None:
        decode(float, scale, "settings.rate_scale")
        if scale <= 0:
            raise refused("settings.rate_scale", scale, "above 0")
    if len(record.measures) < MAIN:
        names = ", ".join(record.measures) or "none"
        raise ValueError(f"`measures` (={names}) must name at least {MAIN} metrics")
    for key in record.measures:
        if key not in record.metrics:
            raise ValueError(f"`metrics.{key}` is missing")
        if isinstance(record.metrics[key], Mapping):
            raise refused(f"metrics.{key}", record.metrics[key], "a finite number")
    steps, losses = len(record.curve.step), len(record.curve.loss)
    if steps != losses:
        raise ValueError(f"`curve.step` (={steps} numbers) must be as long as `loss` (={losses})")
    for place, sample in enumerate(record.samples):
        for name, value in asdict(sample.sampling).items() if sample.sampling else ():
            if isinstance(value, int) and value < 1:
                raise refused(f"samples[{place}].sampling.{name}", value, "at least 1")


def surroundings() -> dict[str, Any]:
    """A record's `versions`, `machine` and `finished` (now)."""
    return {
        "versions": {
            "dysample": version("dysample"),
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
        "machine": Machine(processor(), torch.get_num_threads()),
        "finished": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }
