"""Summarise the runs of a result file: groups of comparable runs, and means over seeds."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from dysample.registry import list_upsamplers
from dysample.workbench.record import MAIN, Measure, Record
from dysample.workbench.settings import LATER

BASELINE = "bilinear"


@dataclass(frozen=True)
class OverSeeds:
    """One metric by seed; `deviation` is the sample standard deviation (divided by n - 1)."""

    by_seed: Mapping[int, float]

    @property
    def mean(self) -> float | None:
        """The mean over seeds; None without any seed."""
        return statistics.fmean(self.by_seed.values()) if self.by_seed else None

    @property
    def deviation(self) -> float | None:
        """The standard deviation over seeds; None with fewer than two."""
        return statistics.stdev(self.by_seed.values()) if len(self.by_seed) > 1 else None


@dataclass(frozen=True)
class Row:
    """One upsampler under one setting."""

    name: str
    guided: bool
    records: tuple[Record, ...]  # by seed
    metrics: Mapping[str, OverSeeds]
    differences: Mapping[str, OverSeeds]  # to bilinear, over the seeds that both have

    @property
    def seconds(self) -> float:
        """Median training time of a run."""
        return statistics.median(record.seconds.train for record in self.records)


@dataclass(frozen=True)
class Group:
    """Runs that differ in upsampler and seed only."""

    task: str
    data: Mapping[str, Any]
    settings: Mapping[str, Any]
    rows: tuple[Row, ...]

    @property
    def head(self) -> str | None:
        """Name of the model's head, None for a task without that choice."""
        return self.settings.get("head")

    @property
    def variant(self) -> Sequence[str]:
        """Names of the model and the encoder, without the default ones, and how they train.

        Runs that freeze the encoder or slow the upsamplers down answer another question.
        """
        chosen = (self.settings.get("model"), self.settings.get("encoder"))
        names = [name for name in chosen if name not in ("small", "conv", None)]
        if self.settings.get("frozen"):
            names.append("frozen")
        rate = self.settings.get("upsampler_rate", LATER["upsampler_rate"])
        return names if rate == LATER["upsampler_rate"] else [*names, f"upsampler rate {rate}"]

    @property
    def title(self) -> str:
        """Task, data, model and head in a few words."""
        parts = [self.task, f"{self.data['name']} {self.data['height']}x{self.data['width']}"]
        parts += [*self.variant, *([] if self.head is None else [f"{self.head} head"])]
        return ", ".join(parts)

    @property
    def measures(self) -> Mapping[str, Measure]:
        """The measures by key, the main ones first."""
        return self.rows[0].records[0].measures

    @property
    def main(self) -> Sequence[str]:
        """Keys of the measures that are shown with differences; the first one leads."""
        return list(self.measures)[:MAIN]

    @property
    def others(self) -> Sequence[str]:
        """Keys of the measures that are shown without differences."""
        return list(self.measures)[MAIN:]

    @property
    def baseline(self) -> Row | None:
        """The row of bilinear, if there is one."""
        return next((row for row in self.rows if row.name == BASELINE), None)

    @property
    def apart_from_head(self) -> str:
        """A key that is equal for two groups that differ only in the head."""
        settings = {key: value for key, value in self.settings.items() if key != "head"}
        return _canonical([self.task, self.data, settings])


def summarise(records: Sequence[Record]) -> list[Group]:
    """
    Return groups in the order of the file; in each, unguided upsamplers come before guided ones.

    Rows stand in one order in every group, table and figure: that of the registry, variants with
    options behind their upsampler, then what is not registered here. Not by metric: over few seeds
    that would look like a ranking. Nor as they finished: runs side by side finish in any order.

    Raises:
        ValueError: if two runs share everything but their training's means or what their file of
            weights holds: they are no two seeds.
    """
    rank = {name: place for place, name in enumerate(list_upsamplers())}
    ranked = sorted(
        records, key=lambda one: (rank.get(one.upsampler, len(rank)), bool(one.upsampler_options))
    )
    order = {name: place for place, name in enumerate(dict.fromkeys(map(row_name, ranked)))}
    groups: dict[str, list[Record]] = {}
    for record in records:
        key = _canonical([record.task, record.data, record.settings])
        groups.setdefault(key, []).append(record)
    return [_group(members, order) for members in groups.values()]


def families(groups: Sequence[Group]) -> list[list[Group]]:
    """Return lists of groups that differ only in their head, in order of appearance."""
    found: dict[str, list[Group]] = {}
    for group in groups:
        found.setdefault(group.apart_from_head, []).append(group)
    return list(found.values())


def row_name(record: Record) -> str:
    """Name of the upsampler with the options that were set."""
    options = ", ".join(f"{key}={value}" for key, value in record.upsampler_options.items())
    return f"{record.upsampler}({options})" if options else record.upsampler


def _group(records: list[Record], order: Mapping[str, int]) -> Group:
    by_name: dict[str, list[Record]] = {}
    for record in records:
        by_name.setdefault(row_name(record), []).append(record)
    baseline = {
        metric: _over_seeds(by_name.get(BASELINE, []), metric).by_seed
        for metric in records[0].measures
    }
    rows = [_row(name, members, baseline) for name, members in by_name.items()]
    rows.sort(key=lambda row: (row.guided, order[row.name]))
    first = records[0]
    return Group(first.task, first.data, first.settings, tuple(rows))


def _row(name: str, records: list[Record], baseline: Mapping[str, Mapping[int, float]]) -> Row:
    metrics = {metric: _over_seeds(records, metric) for metric in baseline}
    differences = {
        metric: OverSeeds(
            {}
            if name == BASELINE
            else {
                seed: value - baseline[metric][seed]
                for seed, value in metrics[metric].by_seed.items()
                if seed in baseline[metric]
            }
        )
        for metric in baseline
    }
    by_seed = sorted(records, key=lambda record: record.seed)
    for one, other in pairwise(by_seed):
        if one.seed == other.seed:
            raise ValueError(
                f"{one.source} and {other.source}: {name}, seed {one.seed}, twice under the same"
                " settings, from other weights or another precision: put them into two files"
            )
    return Row(name, records[0].guided, tuple(by_seed), metrics, differences)


def _over_seeds(records: Sequence[Record], metric: str) -> OverSeeds:
    by_seed = sorted(records, key=lambda record: record.seed)
    values = {record.seed: record.value(metric) for record in by_seed}
    return OverSeeds({seed: value for seed, value in values.items() if value is not None})


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
