"""Match the calls of a step in eval mode with those in training mode."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from dysample.surgery.places import line_of, without_occurrence
from dysample.surgery.sites import Site
from dysample.surgery.steps import Step

Call = tuple[str, str]
"""Path of a module, and the place of a call in its forward."""


def calls_of(
    sites: Sequence[Site], run: Iterable[Step], training: Iterable[Step] | None
) -> tuple[dict[Site, list[Call]], dict[Site, str]]:
    """Return the calls that are one step in both modes, and why sites cannot be told apart.

    In training mode a step may be reached from other lines, as where it is checkpointed, or stand
    in another method of its module. Steps of one line, or else of one module, are paired in order,
    if they agree in number, channels and mode.

    Args:
        sites: those of the run.
        run: in eval mode.
        training: in training mode; None if the model does not run there.
    """
    calls = {site: [(site.owner, site.place)] if site.place is not None else [] for site in sites}
    refusals: dict[Site, str] = {}
    if training is None:
        return calls, refusals
    before, after = _first_steps(run), _first_steps(training)
    here = [site for site, own in calls.items() if own and own[0] not in after]
    there = [call for call in after if call not in before]
    for of_step in (_line, _method):
        groups: dict[Any, tuple[list[Site], list[Call]]] = {}
        for site in here:
            groups.setdefault(of_step(before[calls[site][0]]), ([], []))[0].append(site)
        for call in there:
            groups.setdefault(of_step(after[call]), ([], []))[1].append(call)
        for key, (some, others) in groups.items():
            if key is None or not some or not others:
                continue
            here = [site for site in here if site not in some]
            there = [call for call in there if call not in others]
            alike = [(after[call].channels, after[call].mode) for call in others]
            below = all(_is_below(site.owner, call[0]) for site, call in zip(some, others))
            if below and alike == [(site.channels, site.mode) for site in some]:
                for site, call in zip(some, others):
                    calls[site].append(call)
            else:
                lines = ", ".join(dict.fromkeys(line_of(place) for _, place in others))
                why = f"in training mode it runs in other ways, at {lines}: which is which"
                refusals.update(dict.fromkeys(some, f"{why} cannot be told"))
    return calls, refusals


def _first_steps(run: Iterable[Step]) -> dict[Call, Step]:
    found: dict[Call, Step] = {}
    for step in run:
        if step.place is not None:
            found.setdefault((step.owner, step.place), step)
    return found


def _line(step: Step) -> Any:
    return step.owner, line_of(step.place or "")


def _method(step: Step) -> Any:
    return step.method_of


def _is_below(path: str, ancestor: str) -> bool:
    return not ancestor or path == ancestor or path.startswith(f"{ancestor}.")


def times_of(*runs: Iterable[Step]) -> dict[str, dict[str, list[int]]]:
    """Count how often a module's forward reached each place of a call, by path and place.

    Args:
        runs: of the model.
    """
    times: dict[str, dict[str, list[int]]] = {}
    for steps in runs:
        counts = Counter(
            (step.owner, without_occurrence(step.place), step.caller_run)
            for step in steps
            if step.place is not None
        )
        for (owner, place, _), count in counts.items():
            found = times.setdefault(owner, {}).setdefault(place, [])
            if count not in found:
                found.append(count)
    return times
