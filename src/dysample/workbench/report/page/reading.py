"""How to read the differences of a page."""

from __future__ import annotations

from collections.abc import Sequence

from dysample.workbench.report.page.compared import Family
from dysample.workbench.report.summary import BASELINE
from dysample.workbench.report.verdict import GUIDED, RULE, Verdict, verdict
from dysample.workbench.report.wording import listed


def reading(families: Sequence[Family]) -> list[str]:
    """How the differences of the page were made, and how they mislead if read otherwise."""
    members = [member for family in families for member in family.members]
    estimates = [
        (name, one)
        for member in members
        for by_name in member.to_baseline.values()
        for name, one in by_name.items()
    ]
    shown = {row.name for member in members for row in member.rows}
    images = any(one.images for _, one in estimates)
    seeds_alone = [name for name, one in estimates if name in shown and not one.images]
    what = (
        "the seeds and, independently, of tenths of the validation images, the same tenths for "
        "every seed"
        if images
        else "the seeds. The choice of validation images is left out"
    )
    sentences = [
        "Runs of one seed share initial weights and data order. Each run is compared with "
        f"{BASELINE} of the same seed, and the differences are averaged.",
        f"The bootstrap interval (thick bar) holds 95 % of the means of 10,000 resamples "
        f"of {what}.",
        "With two or three seeds the bootstrap interval is too narrow. Student's t interval (thin "
        "line) accounts for the number of seeds.",
        f"{RULE} In simulations without any difference, about 5 % were called significant with "
        "three or five seeds, and more with two.",
    ]
    if images and seeds_alone:
        sentences.append(
            "Some runs have no results on tenths of the images. In at least one measure the "
            f"intervals of these are over seeds alone: {listed(list(dict.fromkeys(seeds_alone)))}."
        )
    if tested := sum(verdict(one) is not Verdict.FEW for _, one in estimates):
        sentences.append(
            f"The page tests {tested} differences. If no upsampler differed from {BASELINE}, about "
            f"{max(1, round(tested / 20))} of them would still be called significant. A difference "
            "in both measures, or in several tasks, is stronger evidence than a single one."
        )
    sentences.append(
        "Rows are in the order of the registry, not ranked. Not significant does not mean equal "
        f"to {BASELINE}: the interval says how large the difference may be."
    )
    if any(row.guided for member in members for row in member.rows):
        sentences.append(f"{GUIDED} In charts they are orange, below a dashed line.")
    heads = {member.group.head for member in members} - {None}
    if heads:
        sentences.append(
            "The plain head leaves out the encoder's finest features, so that detail has to come "
            "from the upsamplers. The skip head, the usual one, merges these features after them, "
            "and differences between upsamplers are smaller."
            + ("" if len(heads) > 1 else f" Only the {heads.pop()} head is in the file.")
        )
    return sentences
