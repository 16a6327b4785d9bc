"""The report of what surgery did to a model, with reasons."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from dysample.surgery.sites import Site

Action = Literal["replaced", "left alone", "refused"]

WIDTH = 80
"""Columns of a terminal."""

_INDENT = "  "
_HEAD = ("site", "channels", "from", "to", "mode", "runs")


@dataclass(frozen=True)
class Decision:
    """The decision on one site.

    Args:
        site: the step.
        action: what was done, or in a dry run would be.
        reason: why it was left alone or refused; of replaced ones, what changes at once.
        unchanged: whether the output of the step is the same until the model is trained.
    """

    site: Site
    action: Action
    reason: str = ""
    unchanged: bool = False


@dataclass(frozen=True)
class Report:
    """Every site of a model with its decision; prints as a table.

    Args:
        upsampler: name of the upsamplers.
        options: with which they were created.
        decisions: one for each site, in the order in which the sites ran.
        modes: in which the model was seen to run with its upsamplers, "eval" and "training".
        note: why it did not run in training mode, or what could not be seen there.
    """

    upsampler: str
    options: Mapping[str, Any]
    decisions: tuple[Decision, ...]
    modes: tuple[str, ...]
    note: str = ""

    @property
    def replaced(self) -> tuple[Site, ...]:
        """Sites that have an upsampler now."""
        return self._of("replaced")

    @property
    def left_alone(self) -> tuple[Site, ...]:
        """Sites that were not selected."""
        return self._of("left alone")

    @property
    def refused(self) -> tuple[Site, ...]:
        """Sites that were selected and cannot be replaced."""
        return self._of("refused")

    @property
    def unchanged(self) -> bool:
        """Whether the model's output stays the same until it is trained."""
        return all(d.unchanged for d in self.decisions if d.action == "replaced")

    def _of(self, action: Action) -> tuple[Site, ...]:
        return tuple(d.site for d in self.decisions if d.action == action)

    def summary(self) -> str:
        """Return the numbers of sites in one line."""
        counts = (len(self.replaced), len(self.left_alone), len(self.refused))
        return "{} replaced by {name}, {} left alone, {} refused".format(
            *counts, name=self.upsampler
        )

    def __str__(self) -> str:
        """Return the table of sites, the numbers, and the modes in which they ran."""
        verdicts = [f"{d.action}: {d.reason}" if d.reason else d.action for d in self.decisions]
        lines = [site_table([d.site for d in self.decisions], verdicts), self.summary()]
        if self.replaced:
            seen = f"seen to run in {' and '.join(self.modes)} mode"
            seen += f"; {self.note}" if self.note else ""
            lines.append(textwrap.fill(seen, WIDTH, break_long_words=False))
        return "\n".join(lines)

    def reasons(self) -> str:
        """Return why sites have no upsampler, in one line."""
        by_reason: dict[str, list[str]] = {}
        for decision in self.decisions:
            if decision.action != "replaced":
                by_reason.setdefault(decision.reason, []).append(decision.site.name)
        found = "; ".join(f"{', '.join(names)}: {why}" for why, names in by_reason.items())
        return found or "no step of it resizes a map"


def site_table(sites: Sequence[Site], verdicts: Sequence[str] | None = None) -> str:
    """Return the sites as lines of text, in the order in which they ran.

    Successive sites with the same verdict in the same class share a heading. Lines fit in 80
    columns; if names are too long for that, each name has its own line.

    Args:
        sites: what `find_sites` found.
        verdicts: one for each; by default what `replace_upsamplers` does if it is not told.
    """
    if not sites:
        return "no step of this model resizes a map"
    if verdicts is None:
        verdicts = [
            "upsamples features" if why is None else f"left alone: {why}"
            for why in (site.why_not_features for site in sites)
        ]
    rows = [_HEAD, *map(_cells, sites)]
    widths = [max(map(len, column)) for column in zip(*rows)]
    apart = sum(widths) + 2 * len(widths) > WIDTH
    head, *lines = [_line(row, widths, apart) for row in rows]
    text = [head, "-" * min(WIDTH, max(len(line) for part in lines for line in part.split("\n")))]
    above = None
    for site, verdict, line in zip(sites, verdicts, lines):
        here = f"{verdict} ({site.host})"
        if here != above:
            text.append(textwrap.fill(here, WIDTH, break_long_words=False))
        above = here
        text.append(line)
    return "\n".join(text)


def _cells(site: Site) -> tuple[str, ...]:
    of, to = ("x".join(map(str, size)) for size in (site.from_size, site.to_size))
    return site.name, str(site.channels), of, to, site.mode, str(site.runs)


def _line(row: Sequence[str], widths: Sequence[int], apart: bool) -> str:
    """Format a row in columns, with its name on the line above if requested."""
    name, *others = (
        cell.rjust(width) if title in ("channels", "runs") else cell.ljust(width)
        for cell, width, title in zip(row, widths, _HEAD)
    )
    between = f"\n{_INDENT * 2}" if apart else "  "
    return f"{_INDENT}{name.rstrip() if apart else name}{between}{'  '.join(others).rstrip()}"
