"""Groups of runs with their estimates, with ablation variants separated from the other rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dysample.workbench.report.intervals import Estimate, to_baseline
from dysample.workbench.report.summary import BASELINE, Group, Row, families
from dysample.workbench.settings import LATER

TASKS = {
    "semantic": "Semantic segmentation",
    "detection": "Object detection",
    "instance": "Instance segmentation",
    "panoptic": "Panoptic segmentation",
    "depth": "Depth estimation",
}
STEPS = "dysample_step_"


@dataclass(frozen=True)
class Compared:
    """
    One group with the estimates of its rows.

    Attributes:
        group: means and differences of the runs.
        rows: the upsamplers, in its order; with the variants if the baseline is the only other.
        variants: rows with options, and steps of a design: what ablations are about.
        to_baseline: by main measure and name of the row, the difference to bilinear.
        pictures: figures that show its frames.
    """

    group: Group
    rows: tuple[Row, ...]
    variants: tuple[Row, ...]
    to_baseline: Mapping[str, Mapping[str, Estimate]]
    pictures: tuple[Path, ...]

    @property
    def head(self) -> str:
        """The head in words, such as "skip head"; empty for a task without heads."""
        return "" if self.group.head is None else f"{self.group.head} head"

    def titled(self, title: str) -> str:
        """Return the title with the head appended, if the task has heads."""
        return f"{title}, {self.head}" if self.head else title

    @property
    def seeds(self) -> tuple[int, int]:
        """The smallest and largest number of seeds among the upsamplers."""
        counts = [len(row.records) for row in self.rows]
        return min(counts), max(counts)


@dataclass(frozen=True)
class Family:
    """Groups that differ only in their head."""

    members: tuple[Compared, ...]
    title: str
    anchor: str

    @property
    def task(self) -> str:
        """The task, which all runs share."""
        return self.members[0].group.task


def compare(groups: Sequence[Group], pictures: Sequence[Sequence[Path]]) -> list[Family]:
    """
    Return the families, sorted by task and within a task in the order of the file.

    Args:
        groups: groups of all runs.
        pictures: for each group the figures that show its frames.
    """
    shown = {id(group): tuple(figures) for group, figures in zip(groups, pictures)}
    found = [
        Family(tuple(_compared(one, shown[id(one)]) for one in _plain_first(family)), "", "")
        for family in families(groups)
    ]
    known = list(TASKS)
    found.sort(key=lambda one: known.index(one.task) if one.task in known else len(known))
    return [_named(family, found) for family in found]


def is_variant(row: Row) -> bool:
    """Whether a row belongs to an ablation: a design step, or an upsampler with options."""
    record = row.records[0]
    return bool(record.upsampler_options) or record.upsampler.startswith(STEPS)


def _plain_first(groups: Sequence[Group]) -> list[Group]:
    return sorted(groups, key=lambda group: group.head != "plain")


def _compared(group: Group, pictures: tuple[Path, ...]) -> Compared:
    variants = tuple(row for row in group.rows if is_variant(row))
    rows = tuple(row for row in group.rows if not is_variant(row))
    if all(row.name == BASELINE for row in rows):  # the comparison is about the variants
        rows = group.rows
    return Compared(group, rows, variants, to_baseline(group), pictures)


def _named(family: Family, others: Sequence[Family]) -> Family:
    """Return the family with a unique title, which names settings if necessary."""
    title, place = _title(family), others.index(family)
    same = [other for other in others if _title(other) == title]
    if len(same) > 1:
        title += f", {_settings_apart(family, same)}"
    return Family(family.members, title, f"part-{place + 1}")


def _title(family: Family) -> str:
    group = family.members[0].group
    data = group.data
    task = TASKS.get(group.task, group.task)
    return ", ".join([f"{task}: {data['name']} {data['height']}x{data['width']}", *group.variant])


def _settings_apart(family: Family, same: Sequence[Family]) -> str:
    groups = [one.members[0].group for one in same]
    described = [{**group.data, **LATER, **group.settings} for group in groups]
    own = described[same.index(family)]
    apart = [
        f"{len(value)} {key}" if isinstance(value, list) else f"{key} {value}"
        for key, value in own.items()
        if any(other.get(key) != value for other in described)
    ]
    return ", ".join(apart) or f"part {same.index(family) + 1}"
