"""Our order beside the literature's: where they differ, and what is significant."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

from dysample.workbench.report.intervals import Estimate, estimate
from dysample.workbench.report.page.blocks import Block, Paragraph, Table, folded
from dysample.workbench.report.page.compared import Compared
from dysample.workbench.report.page.tables import ESTIMATE_HEADS
from dysample.workbench.report.published import Scores, main_scores
from dysample.workbench.report.verdict import HEADS, Verdict, verdict
from dysample.workbench.report.wording import difference, interval


@dataclass(frozen=True)
class Pair:
    """Two upsamplers of which the literature prints the first as the better one."""

    better: str
    worse: str
    gap: str  # as the printed numbers give it
    noisy: bool  # whether that is within the noise of which the authors speak
    ours: Estimate
    verdict: Verdict  # on the first one
    turned: bool  # whether our mean points the other way


def published_pairs(compared: Compared, scores: Scores) -> list[Pair]:
    """Every pair of rows that the literature orders and that have a seed in common."""
    measure = compared.group.measures[scores.metric]
    rows = [row for row in compared.rows if row.name in scores.by_name]
    pairs = []
    for one, other in combinations(rows, 2):
        gap = scores.by_name[one.name].value - scores.by_name[other.name].value
        if gap == 0:
            continue
        first, second = (one, other) if (gap > 0) is scores.higher_is_better else (other, one)
        found = estimate(first, second, scores.metric)
        if found is not None:
            decimals = len(scores.by_name[one.name].printed.partition(".")[2])
            printed = f"{abs(gap):.{decimals}f}"
            judged = verdict(found, measure.higher_is_better)
            turned = (found.mean < 0) is measure.higher_is_better and found.mean != 0
            noisy = scores.noise is not None and abs(gap) <= scores.noise
            pairs.append(Pair(first.name, second.name, printed, noisy, found, judged, turned))
    return pairs


def order_blocks(compared: Compared) -> Iterator[Block]:
    """What there is to say on one group; nothing where the literature has no scores for it."""
    group = compared.group
    scores = main_scores(group.task)
    if scores is None or scores.metric not in group.main:
        return
    pairs = published_pairs(compared, scores)
    if not pairs:
        return
    against = [pair for pair in pairs if pair.verdict is Verdict.WORSE]
    turned = sum(pair.turned for pair in pairs)
    head = f" ({compared.head})" if compared.head else ""
    heads = {
        **HEADS,
        Verdict.BETTER: "significantly in the literature's order",
        Verdict.WORSE: "significantly reversed",
    }
    counts = {side: sum(pair.verdict is side for pair in pairs) for side in Verdict}
    told = "; ".join(
        f"{heads[side]}: {number}" + (_noise(against, scores) if side is Verdict.WORSE else "")
        for side, number in counts.items()
        if number
    )
    yield Paragraph(
        f"Order{head}: the literature ({scores.model}, {scores.measure}, a single run each) orders "
        f"{len(pairs)} pairs of these upsamplers{_noise(pairs, scores)}. Here the means of "
        f"{turned} are reversed. Of all, {told}."
    )
    if against:
        yield folded(
            Table(
                f"Pairs significantly reversed from the literature{head}",
                (
                    "better here",
                    "better in the\nliterature",
                    "by (as\nprinted)",
                    f"{scores.measure}:\nby how much",
                    *ESTIMATE_HEADS[1:],
                ),
                tuple(
                    (
                        pair.worse,
                        pair.better,
                        pair.gap,
                        difference(-pair.ours.mean),
                        interval(_turned(pair.ours.bootstrap)),
                        interval(_turned(pair.ours.t)),
                    )
                    for pair in against
                ),
            )
        )


def _noise(pairs: list[Pair], scores: Scores) -> str:
    """How many of the pairs the literature itself hardly tells apart."""
    if scores.noise is None or not pairs:
        return ""
    count = sum(pair.noisy for pair in pairs)
    return f" ({count} of them by no more than the {scores.noise} that the authors call noise)"


def _turned(ends: tuple[float, float] | None) -> tuple[float, float] | None:
    return None if ends is None else (-ends[1], -ends[0])
