"""Match the calls of a step in eval mode with those in training mode."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
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
    if they agree in number, channels and mode, and in size where there are several. All calls of a
    line are one step if they run as often as it: a method that is entered twice where the forward
    runs twice.

    Args:
        sites: those of the run.
        run: in eval mode.
        training: in training mode; None if the model does not run there.
    """
    calls = {site: [(site.owner, site.place)] if site.place is not None else [] for site in sites}
    refusals: dict[Site, str] = {}
    if training is None:
        return calls, refusals
    before, after = _by_call(run), _by_call(training)
    here = [site for site, own in calls.items() if own and own[0] not in after]
    there = [call for call in after if call not in before]
    for of_step in (_line, _method):
        groups: dict[Any, tuple[list[Site], list[Call]]] = {}
        for site in here:
            groups.setdefault(of_step(before[calls[site][0]][0]), ([], []))[0].append(site)
        for call in there:
            groups.setdefault(of_step(after[call][0]), ([], []))[1].append(call)
        for key, (some, others) in groups.items():
            if key is None or not some or not others:
                continue
            here = [site for site in here if site not in some]
            there = [call for call in there if call not in others]
            paired = _paired(some, {call: after[call] for call in others})
            for site, own in zip(some, paired):
                calls[site] += own
            if not paired:
                lines = ", ".join(dict.fromkeys(line_of(place) for _, place in others))
                why = f"in training mode it runs in other ways, at {lines}: which is which"
                refusals.update(dict.fromkeys(some, f"{why} cannot be told"))
    return calls, refusals


def _by_call(run: Iterable[Step]) -> dict[Call, list[Step]]:
    found: dict[Call, list[Step]] = {}
    for step in run:
        if step.place is not None:
            found.setdefault((step.owner, step.place), []).append(step)
    return found


def _paired(sites: Sequence[Site], calls: Mapping[Call, Sequence[Step]]) -> list[list[Call]]:
    """Return the calls of each site; nothing if they cannot be matched with certainty."""
    lines: dict[tuple[str, str], list[Call]] = {}
    for owner, place in calls:
        lines.setdefault((owner, line_of(place)), []).append((owner, place))
    for groups in ([[call] for call in calls], list(lines.values())):
        steps = [[step for call in group for step in calls[call]] for group in groups]
        if len(groups) == len(sites) and all(
            _agree(site, own, one_line=len(group) > 1, several=len(sites) > 1)
            for site, own, group in zip(sites, steps, groups)
        ):
            return groups
    return []


def _agree(site: Site, steps: Sequence[Step], *, one_line: bool, several: bool) -> bool:
    """Whether the steps of both modes can belong to one site."""
    sizes = (steps[0].from_size, steps[0].to_size)
    return (
        all(_is_below(site.owner, step.owner) for step in steps)
        and {(step.channels, step.mode) for step in steps} == {(site.channels, site.mode)}
        and (not several or sizes == (site.from_size, site.to_size))
        and (not one_line or len(steps) == site.runs)
    )


def _line(step: Step) -> Any:
    return step.owner, line_of(step.place or "")


def _method(step: Step) -> Any:
    return step.method_of


def _is_below(path: str, ancestor: str) -> bool:
    return not ancestor or path == ancestor or path.startswith(f"{ancestor}.")


def uncounted(
    calls: Mapping[Site, Sequence[Call]], times: Mapping[Call, Sequence[int]]
) -> dict[Site, str]:
    """Return why calls are refused that some runs reach more often than others.

    Only their order tells them apart, and any of them may be missing.

    Args:
        calls: of each site.
        times: what `times_of` finds.
    """
    refusals = {}
    for site, own in calls.items():
        for owner, place in own:
            counts = times[owner, without_occurrence(place)]
            if len(counts) > 1:
                refusals[site] = (
                    f"{line_of(place)} runs {' or '.join(map(str, sorted(counts)))} times in a run"
                    " of its module: which is which cannot be told"
                )
    return refusals


def times_of(*runs: Iterable[Step]) -> dict[Call, list[int]]:
    """Return how often one run of a module reaches each place.

    Args:
        runs: of the model.
    """
    times: dict[Call, list[int]] = {}
    for steps in runs:
        counts = Counter(
            (step.owner, without_occurrence(step.place), step.caller_run)
            for step in steps
            if step.place is not None
        )
        for (owner, place, _), count in counts.items():
            found = times.setdefault((owner, place), [])
            if count not in found:
                found.append(count)
    return times
