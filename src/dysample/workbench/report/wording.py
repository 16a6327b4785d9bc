"""Numbers as text, and in plain sentences what they allow one to say and what they do not."""

from __future__ import annotations

from collections.abc import Sequence

from dysample.workbench.report.summary import BASELINE, Group, OverSeeds, Row

KEEP = "\u00a0"
"""A space at which a line must not break."""

SAID = ("model", "encoder", "head", "size", "train_frames", "val_frames")
"""Settings that the title and the description of the data contain already."""

SHOWN = 5
"""So many names of a longer list are shown."""

FEW_SEEDS = 5
"""Up to so many pairs, equal signs everywhere are common enough by chance to say so."""


def number(value: float, sign: bool = False, decimals: int = 3) -> str:
    """Decimals without a leading zero: .705, +.015."""
    text = f"{value:{'+' if sign else ''}.{decimals}f}"
    return text.replace("0.", ".", 1) if abs(round(value, decimals)) < 1 else text


def spread(values: OverSeeds, sign: bool = False) -> str:
    """Mean and deviation; "-" where there is none."""
    if values.mean is None:
        return "-"
    deviation = "-" if values.deviation is None else number(values.deviation)
    return f"{number(values.mean, sign)} ±{deviation:>4}"


def count(value: float) -> str:
    """Three significant digits with a unit: 12.3k, 1.23M."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= 0.9995 * size:
            return f"{three_digits(value / size)}{unit}"
    return f"{value:.0f}"


def three_digits(value: float) -> str:
    """Three significant digits, never an exponent: 0.0123, 0.123, 1.23, 12.3, 123, 1234."""
    decimals = sum(value < limit for limit in (99.95, 9.995, 0.9995, 0.09995))
    return f"{value:.{decimals}f}"


def settings_text(group: Group) -> str:
    """What all runs of a group have in common and its title does not say."""
    parts = [f"{group.data[key]} {key} frames" for key in ("train", "val") if key in group.data]
    parts += [
        f"{key} {value}"
        for key, value in group.settings.items()
        if key not in SAID and value is not None
    ]
    return ", ".join(parts)


def difference_sentences(group: Group) -> list[str]:
    """What the paired differences of a group allow one to say."""
    if group.baseline is None:
        return [
            f"No {BASELINE} run with these settings is in the file, so there are no differences: "
            f"run {BASELINE} with the same seeds to get them."
        ]
    others = [row for row in group.rows if row.name != BASELINE]
    lead = group.main[0]
    paired = [row for row in others if row.pairs(lead)]
    sentences = []
    unpaired = [row.name for row in others if not row.pairs(lead)]
    if unpaired:
        names = listed(unpaired)
        sentences.append(f"No seed in common with {BASELINE}, so no difference: {names}.")
    if not paired:
        return sentences
    several = [row for row in paired if row.pairs(lead) > 1]
    single = [row.name for row in paired if row.pairs(lead) == 1]
    if several:
        for metric in group.main:
            # A measure may be undefined in some runs.
            if told := [row for row in several if row.pairs(metric) > 1]:
                sentences.append(_verdict(group, told, metric))
    if single:
        sentences.append(
            "One pair of runs has no spread, so nothing can be said against the noise about "
            f"{listed(single)}: more seeds (`--seeds`) are added to the same file."
        )
    return sentences


def notes(groups: Sequence[Group]) -> list[str]:
    """How to read all the differences of a file: said once, below every table."""
    rows = [row for group in groups for row in group.rows]
    pairs = [
        count for group in groups for row in group.rows if (count := row.pairs(group.main[0])) > 1
    ]
    sentences = []
    if pairs:
        sentences.append(
            "The ± is the sample standard deviation of the paired differences over seeds; it "
            "leaves out the choice of validation frames."
        )
    if pairs and min(pairs) <= FEW_SEEDS:
        few = min(pairs)
        start = (
            "Two seeds are an illustration, not evidence" if few == 2 else f"{few} seeds are few"
        )
        sentences.append(
            f"{start}: without any true difference the signs of {few} pairs would still agree in "
            f"1 of {2 ** (few - 1)} cases. More seeds (`--seeds`) are added to the same file."
        )
    if any(row.guided for row in rows):
        sentences.append(
            "Guided upsamplers also read the encoder's finer features, which the others never "
            "see: compare them with each other first."
        )
    return sentences


def others_sentence(group: Group) -> str:
    """What the numbers of a group's other measures are."""
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
    """What the choice of head does, for groups that differ in nothing but their head."""
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


def _verdict(group: Group, rows: Sequence[Row], metric: str) -> str:
    """One sentence on one metric for rows with at least two pairs each."""
    above: list[str] = []
    below: list[str] = []
    undecided: list[str] = []
    for row in rows:
        values = row.differences[metric]
        mean, deviation = values.mean or 0.0, values.deviation or 0.0
        one_sign = len({value > 0 for value in values.by_seed.values()}) == 1
        side = above if mean > 0 else below
        (side if one_sign and abs(mean) > deviation else undecided).append(
            f"{row.name} {number(mean, sign=True)} ± {number(deviation)}".replace(" ", KEEP)
        )
    runs = _runs({row.pairs(metric) for row in rows})
    measure = group.measures[metric]
    sides = [("above", above), ("below", below)]
    parts = [
        f"{words} {BASELINE} {runs}: {listed(names)}"
        # The better side comes first.
        for words, names in (sides if measure.higher_is_better else reversed(sides))
        if names
    ]
    if undecided:
        parts.append(
            f"undecided against {BASELINE} (signs differ between runs, or the mean is within "
            f"its spread): {listed(undecided)}"
        )
    name = measure.name if measure.higher_is_better else f"{measure.name} (lower is better)"
    return f"{name}: {'; '.join(parts)}."


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


def _runs(pairs: set[int]) -> str:
    if pairs == {2}:
        return "in both paired runs"
    if len(pairs) == 1:
        return f"in all {min(pairs)} paired runs"
    return f"in every paired run ({min(pairs)} to {max(pairs)} of them)"


def listed(names: Sequence[str]) -> str:
    """a, b and c."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
