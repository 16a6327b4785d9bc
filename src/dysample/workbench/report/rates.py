"""The search for learning rates in words and cells, for the terminal and the page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dysample.workbench.numbers import number
from dysample.workbench.report.summary import Group, Search
from dysample.workbench.report.wording import listed, span

RATES = "Learning rates"
"""Title of the section."""
CHOSEN = "\u2713"
"""Before the result of a chosen scale."""


def scales_tried(searches: Sequence[Search]) -> list[float]:
    """Return every scale that a trial has, the largest first."""
    return sorted(
        {record.settings["rate_scale"] for one in searches for record in one.trials}, reverse=True
    )


def chosen_text(search: Search | None) -> str:
    """The scale of an upsampler's runs; "-" for none."""
    scales = () if search is None else search.chosen
    return listed([f"{scale:g}" for scale in scales]) if scales else "-"


def scores_text(search: Search, metric: str, scales: Sequence[float], mark: str = "") -> list[str]:
    """The results at some scales; "-" without one, and a mark before the chosen one's."""
    scores = search.scores(metric)
    cells = []
    for scale in scales:
        mean = scores[scale].mean if scale in scores else None
        text = "-" if mean is None else number(mean)
        cells.append(f"{mark} {text}" if mark and scale in search.chosen else text)
    return cells


def rate_sentences(group: Group) -> Iterator[str]:
    """What was tried, and what the scale multiplies."""
    searches = group.searches
    trials = [record for one in searches for record in one.trials]
    if trials:
        seeds = {record.seed for record in trials}
        of_seeds = f"seed {seeds.pop()}" if len(seeds) == 1 else span([len(seeds)], "seed")
        measure = group.measures[group.main[0]]
        lower = "" if measure.higher_is_better else " (lower is better)"
        yield (
            f"Trials: {measure.name}{lower} by the scale of the learning rate, {of_seeds}. They "
            "are evaluated on training images that are held out for it, and count in no other "
            "number; intervals do not cover the choice."
        )
    else:
        yield "The scales of the learning rate were given; no trial of others is in the file."
    fixed = [one.name for one in searches if one.fixed]
    yield "The scale multiplies the learning rate of the upsamplers" + (
        f", or of the whole model where these have no parameters: {listed(fixed)}."
        if fixed
        else "."
    )


def rate_notes(group: Group) -> Iterator[str]:
    """What to know of single upsamplers' searches."""
    searches = group.searches
    tried = scales_tried(searches)
    gaps = [one.name for one in searches if one.chosen and one.trials and _gap(group, one, tried)]
    if gaps:
        yield (
            "No result at some scale, which counts as the worst (a training that diverges leaves "
            f"none): {listed(gaps)}."
        )
    for end, scale in (("largest", tried[0]), ("smallest", tried[-1])) if len(tried) > 1 else ():
        names = [one.name for one in searches if one.trials and scale in one.chosen]
        if names:
            yield f"At the {end} scale tried, beyond which a better one may lie: {listed(names)}."
    if waiting := [one.name for one in searches if not one.chosen]:
        yield (
            f"No run at a chosen scale is in the file: {listed(waiting)}. The command that made "
            "the trials goes on with them."
        )


def _gap(group: Group, search: Search, tried: Sequence[float]) -> bool:
    return "-" in scores_text(search, group.main[0], tried)
