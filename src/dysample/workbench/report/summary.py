"""Summarise the runs of a result file: groups of comparable runs, and means over seeds."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dysample.registry import list_upsamplers
from dysample.workbench.record import MAIN, Measure, Record
from dysample.workbench.report.trials import (
    canonical,
    check_once,
    is_trial,
    row_name,
    run_key,
    scale_of,
    search_data,
    search_key,
    shared_settings,
)
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
class Search:
    """The search for the learning rate of one upsampler, by `dysample compare --tune`.

    Attributes:
        name: of the upsampler's row.
        guided: whether it reads a guide.
        fixed: whether it has no parameters, so that the scale is of the whole model's rate.
        trials: runs that are evaluated on held-out training images; they are no results.
        chosen: the scales of the runs in the upsampler's row, one as a rule; none before there
            are any.
    """

    name: str
    guided: bool
    fixed: bool
    trials: tuple[Record, ...]
    chosen: tuple[float, ...]

    def scores(self, metric: str) -> Mapping[float, OverSeeds]:
        """Return a metric of the trials by the scale of the rate, the largest first."""
        by_scale: dict[float, list[Record]] = {}
        for record in self.trials:
            by_scale.setdefault(record.settings["rate_scale"], []).append(record)
        return {
            scale: _over_seeds(by_scale[scale], metric) for scale in sorted(by_scale, reverse=True)
        }


@dataclass(frozen=True)
class Group:
    """Runs that differ in upsampler and seed only, and in a learning rate chosen for each.

    Attributes:
        task: its name.
        data: the description of the data.
        settings: of every run; without `rate_scale`.
        rows: one an upsampler; none if there are trials alone.
        tuned: whether the runs have a `rate_scale`.
        searches: if they have, one an upsampler.
    """

    task: str
    data: Mapping[str, Any]
    settings: Mapping[str, Any]
    rows: tuple[Row, ...]
    tuned: bool = False
    searches: tuple[Search, ...] = ()

    @property
    def head(self) -> str | None:
        """Name of the model's head, None for a task without that choice."""
        return self.settings.get("head")

    @property
    def variant(self) -> Sequence[str]:
        """Names of the model and the encoder, without the default ones, and how they train.

        Runs that freeze the encoder, slow the upsamplers down, have a rate chosen for each
        upsampler, or are evaluated on training images, answer another question.
        """
        chosen = (self.settings.get("model"), self.settings.get("encoder"))
        names = [name for name in chosen if name not in ("small", "conv", None)]
        if self.settings.get("frozen"):
            names.append("frozen")
        rate = self.settings.get("upsampler_rate", LATER["upsampler_rate"])
        if rate != LATER["upsampler_rate"]:
            names.append(f"upsampler rate {rate}")
        if self.tuned:
            names.append("tuned")
        return [*names, "held-out images"] if self.settings.get("held_out") else names

    @property
    def title(self) -> str:
        """Task, data, model and head in a few words."""
        parts = [self.task, f"{self.data['name']} {self.data['height']}x{self.data['width']}"]
        parts += [*self.variant, *([] if self.head is None else [f"{self.head} head"])]
        return ", ".join(parts)

    @property
    def measures(self) -> Mapping[str, Measure]:
        """The measures by key, the main ones first."""
        if self.rows:
            return self.rows[0].records[0].measures
        return self.searches[0].trials[0].measures

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
        return canonical([self.task, self.data, settings, self.tuned])

    def search(self, name: str) -> Search | None:
        """Return the search for an upsampler's learning rate, if the group is tuned."""
        return next((one for one in self.searches if one.name == name), None)


def summarise(records: Sequence[Record]) -> list[Group]:
    """
    Return groups in the order of the file; in each, unguided upsamplers come before guided ones.

    Rows stand in one order in every group, table and figure: that of the registry, variants with
    options behind their upsampler, then what is not registered here. Not by metric: over few seeds
    that would look like a ranking. Nor as they finished: runs side by side finish in any order.

    Raises:
        ValueError: if two runs share everything but their training's means, what their file of
            weights holds or the scale of their learning rate: they are no two seeds.
    """
    return [group for group in _groups(records) if group.rows]


def unfinished(records: Sequence[Record]) -> list[Group]:
    """Return groups without rows: searches of which no run at a chosen rate is in the file.

    Raises:
        ValueError: as `summarise`.
    """
    return [group for group in _groups(records) if not group.rows]


def _groups(records: Sequence[Record]) -> list[Group]:
    rank = {name: place for place, name in enumerate(list_upsamplers())}
    ranked = sorted(
        records, key=lambda one: (rank.get(one.upsampler, len(rank)), bool(one.upsampler_options))
    )
    order = {name: place for place, name in enumerate(dict.fromkeys(map(row_name, ranked)))}
    runs: dict[str, list[Record]] = {}
    trials: dict[str, list[Record]] = {}
    for record in records:
        if is_trial(record):
            trials.setdefault(search_key(record), []).append(record)
        else:
            runs.setdefault(run_key(record), []).append(record)
    groups, searched = [], set()
    for members in runs.values():
        key = search_key(members[0]) if scale_of(members[0]) is not None else ""
        searched.add(key)
        groups.append(_group(members, trials.get(key, []), order))
    alone = [found for key, found in trials.items() if key not in searched]
    return [*groups, *(_group([], found, order) for found in alone)]


def families(groups: Sequence[Group]) -> list[list[Group]]:
    """Return lists of groups that differ only in their head, in order of appearance."""
    found: dict[str, list[Group]] = {}
    for group in groups:
        found.setdefault(group.apart_from_head, []).append(group)
    return list(found.values())


def _group(records: list[Record], trials: list[Record], order: Mapping[str, int]) -> Group:
    """A group of runs with the trials for them, or of trials alone."""
    by_name = _by_name(records)
    first = (records or trials)[0]
    baseline = {
        metric: _over_seeds(by_name.get(BASELINE, []), metric).by_seed for metric in first.measures
    }
    rows = [_row(name, members, baseline) for name, members in by_name.items()]
    rows.sort(key=lambda row: (row.guided, order[row.name]))
    tuned = scale_of(first) is not None
    searches = _searches(by_name, _by_name(trials)) if tuned else []
    searches.sort(key=lambda one: (one.guided, order[one.name]))
    data = first.data if records else search_data(first)
    return Group(first.task, data, shared_settings(first), tuple(rows), tuned, tuple(searches))


def _by_name(records: Sequence[Record]) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = {}
    for record in records:
        found.setdefault(row_name(record), []).append(record)
    return found


def _searches(runs: Mapping[str, list[Record]], trials: Mapping[str, list[Record]]) -> list[Search]:
    found = []
    for name in dict.fromkeys([*runs, *trials]):
        tried, members = trials.get(name, []), runs.get(name, [])
        tried = sorted(tried, key=lambda one: (-one.settings["rate_scale"], one.seed))
        check_once(name, tried)
        first = (members or tried)[0]
        scales = sorted({one.settings["rate_scale"] for one in members}, reverse=True)
        fixed = first.parameters.upsamplers == 0
        found.append(Search(name, first.guided, fixed, tuple(tried), tuple(scales)))
    return found


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
    check_once(name, by_seed)
    return Row(name, records[0].guided, tuple(by_seed), metrics, differences)


def _over_seeds(records: Sequence[Record], metric: str) -> OverSeeds:
    by_seed = sorted(records, key=lambda record: record.seed)
    values = {record.seed: record.value(metric) for record in by_seed}
    return OverSeeds({seed: value for seed, value in values.items() if value is not None})
