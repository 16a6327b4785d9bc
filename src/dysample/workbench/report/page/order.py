"""Our order beside the literature's: where they differ, and what the intervals allow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

from dysample.workbench.report.page.blocks import Block, Paragraph, Table, folded
from dysample.workbench.report.page.compared import Compared
from dysample.workbench.report.page.intervals import Estimate, estimate
from dysample.workbench.report.page.tables import ESTIMATE_HEADS
from dysample.workbench.report.page.wording import difference, interval
from dysample.workbench.report.published import Scores, main_scores


@dataclass(frozen=True)
class Pair:
    """Two upsamplers of which the literature prints the first as the better one."""

    better: str
    worse: str
    gap: str  # as the printed numbers give it
    noisy: bool  # whether that is within the noise of which the authors speak
    ours: Estimate
    agrees: int  # 1 or -1 if our intervals say so, 0 if they leave it open
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
            side = 1 if measure.higher_is_better else -1
            decimals = len(scores.by_name[one.name].printed.partition(".")[2])
            printed = f"{abs(gap):.{decimals}f}"
            agrees, turned = side * found.sign, side * found.mean < 0
            noisy = scores.noise is not None and abs(gap) <= scores.noise
            pairs.append(Pair(first.name, second.name, printed, noisy, found, agrees, turned))
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
    against = [pair for pair in pairs if pair.agrees < 0]
    turned = sum(pair.turned for pair in pairs)
    agreed = sum(pair.agrees > 0 for pair in pairs)
    head = f" ({compared.head})" if compared.head else ""
    text = (
        f"Order{head}: the literature ({scores.model}, {scores.measure}, a single run each) orders "
        f"{len(pairs)} pairs of these upsamplers{_noise(pairs, scores)}. Here {turned} of them "
        f"point the other way. The intervals bear out the literature's order for {agreed} pairs "
        f"and contradict it for {len(against)}{_noise(against, scores)}; for the other "
        f"{len(pairs) - agreed - len(against)} they allow neither."
    )
    yield Paragraph(text)
    if against:
        yield folded(
            Table(
                f"Pairs whose order here is the other way round, beyond both intervals{head}",
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
