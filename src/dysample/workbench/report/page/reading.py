"""How to read the differences of a page."""

from __future__ import annotations

from collections.abc import Sequence

from dysample.workbench.report.intervals import Estimate
from dysample.workbench.report.page.compared import Family
from dysample.workbench.report.summary import BASELINE
from dysample.workbench.report.verdict import GUIDED, RULE, Verdict, verdict
from dysample.workbench.report.wording import listed


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
        "stands beside it.",
        f"{RULE} Simulated runs without any difference are called different in about 5 % of cases "
        "with three seeds or five, but more often with two.",
    ]
    if images and seeds_alone:
        sentences.append(
            "Some runs keep no results on tenths of the images, so that intervals are over seeds "
            f"alone, in one measure at least: {listed(list(dict.fromkeys(seeds_alone)))}."
        )
    if tested := sum(verdict(one) is not Verdict.FEW for one in estimates):
        sentences.append(
            f"The page tests {tested} differences. If no upsampler differed from {BASELINE}, about "
            f"{max(1, round(tested / 20))} of them would still be called significant: believe what "
            "holds for both measures, or for several tasks, before what stands alone."
        )
    sentences.append(
        "Rows stand in one order throughout, that of the registry, and are no ranking. Not "
        f"significant does not mean equal to {BASELINE}: the interval says how large a difference "
        "may still be."
    )
    if any(row.guided for family in families for one in family.members for row in one.rows):
        sentences.append(f"{GUIDED} In charts they are orange, below a dashed line.")
    heads = {member.group.head for family in families for member in family.members} - {None}
    if heads:
        sentences.append(
            "The plain head leaves the encoder's finest features out, so that detail has to come "
            "through the upsamplers; the skip head, the usual one, hands these features past them, "
            "and less is left to tell upsamplers apart."
            + ("" if len(heads) > 1 else f" Only the {heads.pop()} head is in the file.")
        )
    return sentences


def _all_estimates(families: Sequence[Family]) -> list[Estimate]:
    return [
        one
        for family in families
        for member in family.members
        for by_name in member.to_baseline.values()
        for one in by_name.values()
    ]
