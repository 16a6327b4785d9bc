"""Sentences about data, settings and heads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dysample.workbench.numbers import number
from dysample.workbench.report.summary import BASELINE, Group, OverSeeds

KEEP = "\u00a0"
"""A space at which a line must not break."""

SAID = (
    "model", "encoder", "frozen", "upsampler_rate", "held_out", "head", "size", "train_frames",
    "val_frames",
)  # fmt: skip
"""Settings that the title and the description of the data contain already."""

SHOWN = 5
"""So many names of a longer list are shown."""


def span(counts: Iterable[int], thing: str) -> str:
    """Return a range in words: "5 seeds", "3 to 5 seeds"."""
    low, *_, high = sorted([*counts] * 2)
    plural = thing if high == 1 else f"{thing}s"
    return f"{low} {plural}" if low == high else f"{low} to {high} {plural}"


def spread(values: OverSeeds, sign: bool = False) -> str:
    """Format mean and deviation; "-" for None."""
    if values.mean is None:
        return "-"
    deviation = "-" if values.deviation is None else number(values.deviation)
    return f"{number(values.mean, sign)} ±{deviation:>4}"


def settings_text(group: Group) -> str:
    """Return the settings that all runs of a group share and its title does not name."""
    parts = [f"{group.data[key]} {key} frames" for key in ("train", "val") if key in group.data]
    parts += [
        key if value is True else f"{key} {value}"
        for key, value in group.settings.items()
        if key not in SAID and value is not None
    ]
    return ", ".join(parts)


def others_sentence(group: Group) -> str:
    """Return a sentence that explains a group's other measures."""
    lower = [m.name for m in group.measures.values() if not m.higher_is_better]
    text = "Means over seeds."
    return f"{text} Lower is better: {listed(lower)}." if lower else text


def absent_sentence(group: Group) -> str | None:
    """The classes that the validation labels do not hold, and what that may be; None for none."""
    records = [record for row in group.rows for record in row.records]
    measured: dict[str, bool] = {}
    for record in records:
        for values in record.by_class.values():
            for name, value in values.items():
                measured[name] = measured.get(name, False) or value is not None
    absent = [name for name, there in measured.items() if not there]
    if not absent:
        return None
    shown = listed([*absent[:SHOWN], *["others"] * (len(absent) > SHOWN)])
    sentence = (
        f"{len(absent)} of {len(measured)} classes never occur in the validation labels, and means "
        f"over classes are of the others alone: {shown}."
    )
    if group.data["name"] == "folders" and len(measured) == 2:
        sentence += " Masks of 0 and 255 are the usual reason: `binary:PATH` reads 255 as a class."
    return sentence


def head_sentence(family: Sequence[Group]) -> str | None:
    """Return a sentence on the effect of the head, for groups that differ only in it."""
    head = family[0].head
    if head is None:
        return None
    if len(family) > 1:
        lead = family[0].measures[family[0].main[0]].name
        sizes = [size for group in family if (size := _largest_difference(group))]
        return (
            f"What the head does: the largest {lead} difference to {BASELINE} among unguided "
            f"upsamplers is {listed(sizes)}."
            if sizes
            else None
        )
    if head == "skip":
        return (
            "Only the skip head is in the file. It hands the finest encoder features past the "
            "upsamplers, which hides much of what they do; `--head plain` adds runs in which the "
            "upsamplers have to supply the detail."
        )
    return (
        f"Only the {head} head is in the file. It leaves the finest encoder features out, so that "
        "detail has to come from the upsamplers. With the usual skip connection differences are "
        "smaller, often lost in the noise: `--head skip` adds those runs to the same file."
    )


def _largest_difference(group: Group) -> str | None:
    means = [
        (abs(mean), row.name)
        for row in group.rows
        if not row.guided and (mean := row.differences[group.main[0]].mean) is not None
    ]
    if not means:
        return None
    size, name = max(means)
    return f"{number(size)} ({name}) with the {group.head} head"


def listed(names: Sequence[str]) -> str:
    """a, b and c."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
