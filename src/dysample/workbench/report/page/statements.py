"""In plain sentences, what the estimates allow one to say and what they do not."""

from __future__ import annotations

from collections.abc import Sequence

from dysample.workbench.report.page.compared import Compared, Family
from dysample.workbench.report.page.intervals import ENOUGH, Estimate
from dysample.workbench.report.page.wording import span
from dysample.workbench.report.summary import BASELINE, Row
from dysample.workbench.report.wording import listed, number

FEW = 5
"""Below so many seeds a page says that they are few."""


def statements(compared: Compared, metric: str) -> list[str]:
    """On one measure, for the unguided upsamplers and then for the guided ones."""
    group = compared.group
    if group.baseline is None:
        return [
            f"No {BASELINE} run with these settings is in the file, so there are no differences: "
            f"run {BASELINE} with the same seeds to get them."
        ]
    mean = group.baseline.metrics[metric].mean
    level = "undefined" if mean is None else number(mean)
    measure = group.measures[metric]
    lower = "" if measure.higher_is_better else " (lower is better)"
    found = compared.to_baseline[metric]
    sentences = [f"{measure.name}{lower} of {BASELINE} is {level}."]
    for start, guided in ((f"Against {BASELINE}", False), ("Of the guided", True)):
        rows = [row for row in compared.rows if row.guided is guided and row.name in found]
        if rows:
            estimates = [found[row.name] for row in rows]
            sentences.append(f"{start}, {_verdict(rows, estimates, measure.higher_is_better)}.")
    unpaired = [row.name for row in compared.rows if row.name not in {BASELINE, *found}]
    if unpaired:
        names = listed(unpaired)
        sentences.append(f"No seed in common with {BASELINE}, so no difference: {names}.")
    return sentences


def seeds_sentence(family: Family) -> str:
    """How many runs each upsampler has, and what that is good for."""
    counts = [count for member in family.members for count in member.seeds]
    text = f"{span(counts, 'seed')} an upsampler."
    if min(counts) == 1:
        return f"{text} A single run has no spread over seeds, so it allows no statement."
    if min(counts) == 2:
        return f"{text} Two seeds are an illustration, so they allow no statement."
    if min(counts) < FEW:
        few = "That is few" if max(counts) < FEW else f"Fewer than {FEW} are few"
        return f"{text} {few}: take differences near the edge of an interval as unknown."
    return text


def sentence_start(head: str) -> str:
    """The name of a head in front of a sentence."""
    return f"{head[0].upper()}{head[1:]}. " if head else ""


def reading(families: Sequence[Family]) -> list[str]:
    """How the differences of the page were made, and how they mislead if read otherwise."""
    estimates = _all_estimates(families)
    images = any(one.images for one in estimates)
    seeds_alone = [
        row.name
        for family in families
        for member in family.members
        for row in member.rows
        for by_name in member.to_baseline.values()
        if row.name in by_name and not by_name[row.name].images
    ]
    what = (
        "seeds and, independently of them, tenths of the validation images, the same tenths for "
        "every seed"
        if images
        else "seeds; how much depends on the choice of validation images is not in it"
    )
    sentences = [
        f"Runs of one seed share initial values and data order, and differ in the upsampler alone: "
        f"each is compared with {BASELINE} of its own seed, and the differences are averaged.",
        f"The bootstrap interval (thick bar) holds 95 % of the means of 10,000 redrawn sets of "
        f"{what}.",
        "With two or three seeds a bootstrap is too narrow, as it can only repeat what those few "
        "seeds happened to give. So Student's t interval (thin line), which knows their number, "
        "stands beside it, and only where both keep off zero a difference is called one. Simulated "
        "runs without any difference are called different in about 5 % of cases with three seeds "
        f"or five, but more often with two: fewer than {ENOUGH} pairs of runs allow no statement.",
    ]
    if images and seeds_alone:
        sentences.append(
            "Some runs keep no results on tenths of the images, so that intervals are over seeds "
            f"alone, in one measure at least: {listed(list(dict.fromkeys(seeds_alone)))}."
        )
    if tested := sum(one.enough for one in estimates):
        sentences.append(
            f"The page holds {tested} such differences. If no upsampler differed from {BASELINE}, "
            f"about {max(1, round(tested / 20))} of them would still be called one at this level: "
            "believe what holds for both measures, or for several tasks, before what stands alone."
        )
    sentences.append(
        "Rows stand in one order throughout, that of the registry, and are no ranking. Not told "
        f"apart from {BASELINE} does not mean equal to it: the interval says how large a "
        "difference may still be."
    )
    if any(row.guided for family in families for one in family.members for row in one.rows):
        sentences.append(
            "Guided upsamplers (orange, below a dashed line) also read the encoder's finer "
            "features, which the others never see: compare them with each other first."
        )
    heads = {member.group.head for family in families for member in family.members} - {None}
    if heads:
        sentences.append(
            "The plain head leaves the encoder's finest features out, so that detail has to come "
            "through the upsamplers; the skip head, the usual one, hands these features past them, "
            "and less is left to tell upsamplers apart."
            + ("" if len(heads) > 1 else f" Only the {heads.pop()} head is in the file.")
        )
    return sentences


def _verdict(rows: Sequence[Row], estimates: Sequence[Estimate], higher_is_better: bool) -> str:
    few = f"fewer than {ENOUGH} pairs of runs, which allow no statement"
    sides: dict[str, list[str]] = {"better": [], "worse": [], "not told apart": [], few: []}
    for row, one in zip(rows, estimates):
        sign = one.sign if higher_is_better else -one.sign
        side = "better" if sign > 0 else "worse" if sign < 0 else "not told apart"
        sides[side if one.enough else few].append(row.name)
    return "; ".join(f"{words}: {listed(names)}" for words, names in sides.items() if names)


def _all_estimates(families: Sequence[Family]) -> list[Estimate]:
    return [
        one
        for family in families
        for member in family.members
        for by_name in member.to_baseline.values()
        for one in by_name.values()
    ]
