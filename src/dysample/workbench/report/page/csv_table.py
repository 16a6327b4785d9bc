"""Every number of the tables as CSV: a line for each group, upsampler and quantity."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

from dysample.workbench.report.page.compared import Compared, Family
from dysample.workbench.report.page.tables import class_difference
from dysample.workbench.report.summary import BASELINE, Group, Row
from dysample.workbench.report.verdict import verdict

COLUMNS = (
    "part", "task", "data", "head", "upsampler", "guided", "rate_scale",
    "quantity", "class", "seeds", "mean",
    "deviation", "difference", "pairs", "bootstrap_low", "bootstrap_high", "t_low", "t_high",
    "verdict",
)  # fmt: skip


def to_csv(families: Sequence[Family], waiting: Sequence[Group] = ()) -> str:
    """
    Unrounded; differences are to bilinear, paired by seed. Empty where there is no number.

    Trials of learning rates have quantities of their own, `held_out_` before their names.

    Args:
        families: of runs.
        waiting: groups of trials alone.
    """
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for family in families:
        for member in family.members:
            start = _start(family.title, member.group)
            for row in member.group.rows:
                named = {**start, "upsampler": row.name, "guided": row.guided}
                if (search := member.group.search(row.name)) is not None:
                    named["rate_scale"] = " ".join(f"{scale:g}" for scale in search.chosen)
                writer.writerows({**named, **line} for line in _lines(member, row))
            writer.writerows({**start, **line} for line in _trials(member.group))
    for group in waiting:
        writer.writerows({**_start(group.title, group), **line} for line in _trials(group))
    return buffer.getvalue()


def _start(part: str, group: Group) -> dict[str, Any]:
    return {
        "part": part,
        "task": group.task,
        "data": group.data["name"],
        "head": group.head or "",
    }


def _trials(group: Group) -> Iterator[dict[str, Any]]:
    for one in group.searches:
        for metric in group.measures:
            for scale, values in one.scores(metric).items():
                yield {
                    "upsampler": one.name,
                    "guided": one.guided,
                    "rate_scale": scale,
                    "quantity": f"held_out_{metric}",
                    "seeds": sum(scale == trial.settings["rate_scale"] for trial in one.trials),
                    "mean": values.mean,
                    "deviation": values.deviation,
                }


def _lines(member: Compared, row: Row) -> Iterator[dict[str, Any]]:
    seeds = {"seeds": len(row.records)}
    for metric, values in row.metrics.items():
        line = {"quantity": metric, "mean": values.mean, "deviation": values.deviation}
        one = member.to_baseline.get(metric, {}).get(row.name)
        if one is not None:
            line |= {"difference": one.mean, "pairs": len(one.by_seed)}
            line |= dict(zip(("bootstrap_low", "bootstrap_high"), one.bootstrap or ()))
            line |= dict(zip(("t_low", "t_high"), one.t or ()))
            measure = member.group.measures[metric]
            line["verdict"] = verdict(one, measure.higher_is_better).value
        elif row.name != BASELINE:
            line["difference"] = row.differences[metric].mean
        yield {**seeds, **line}
    baseline = None if row.name == BASELINE else member.group.baseline
    first = row.records[0]
    for key, by_class in first.by_class.items():
        for name in by_class:
            line = {"quantity": key, "class": name}
            line["mean"] = class_difference(row, None, key, name)
            if baseline is not None:
                line["difference"] = class_difference(row, baseline, key, name)
            yield {**seeds, **line}
    for quantity, value in (
        ("parameters_upsamplers", first.parameters.upsamplers),
        ("parameters_model", first.parameters.total),
        ("macs_upsamplers", first.macs.upsamplers),
        ("macs_model", first.macs.total),
        ("train_seconds_median", row.seconds),
    ):
        yield {**seeds, "quantity": quantity, "mean": value}
