"""What surgery did to a model, and why not more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from dysample.surgery.sites import Site

Action = Literal["replaced", "left alone", "refused"]


@dataclass(frozen=True)
class Decision:
    """What happens to one site.

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
    """Every site of a model with what was done; printed as a table."""

    upsampler: str
    decisions: tuple[Decision, ...]

    @property
    def replaced(self) -> tuple[Site, ...]:
        """Sites that have an upsampler now."""
        return self._of("replaced")

    @property
    def left_alone(self) -> tuple[Site, ...]:
        """Sites that were not asked for."""
        return self._of("left alone")

    @property
    def refused(self) -> tuple[Site, ...]:
        """Sites that were asked for and cannot be replaced."""
        return self._of("refused")

    @property
    def unchanged(self) -> bool:
        """Whether the model's output stays the same until it is trained."""
        return all(d.unchanged for d in self.decisions if d.action == "replaced")

    def _of(self, action: Action) -> tuple[Site, ...]:
        return tuple(d.site for d in self.decisions if d.action == action)

    def summary(self) -> str:
        """Numbers of sites, in one line."""
        counts = (len(self.replaced), len(self.left_alone), len(self.refused))
        return "{} replaced by {name}, {} left alone, {} refused".format(
            *counts, name=self.upsampler
        )

    def __str__(self) -> str:
        """A line a site, and the numbers."""
        verdicts = [f"{d.action}: {d.reason}" if d.reason else d.action for d in self.decisions]
        return f"{site_table([d.site for d in self.decisions], verdicts)}\n{self.summary()}"


def site_table(sites: Sequence[Site], verdicts: Sequence[str] | None = None) -> str:
    """The sites as lines of text.

    Args:
        sites: what `find_sites` found.
        verdicts: last column; by default what `replace_upsamplers` does if it is not told.
    """
    if not sites:
        return "no step of this model resizes a map"
    if verdicts is None:
        verdicts = [
            "upsamples features" if why is None else f"left alone: {why}"
            for why in (site.why_not_features for site in sites)
        ]
    head = ("site", "in", "channels", "from", "to", "mode", "runs", "verdict")
    rows = [head, *(_cells(site, verdict) for site, verdict in zip(sites, verdicts))]
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = []
    for row in rows:
        cells = (
            cell.rjust(width) if title in ("channels", "runs") else cell.ljust(width)
            for cell, width, title in zip(row, widths, head)
        )
        lines.append("  ".join(cells).rstrip())
    lines.insert(1, "-" * max(map(len, lines)))
    return "\n".join(lines)


def _cells(site: Site, verdict: str) -> tuple[str, ...]:
    of, to = ("x".join(map(str, size)) for size in (site.from_size, site.to_size))
    return (
        site.name,
        site.host,
        str(site.channels),
        of,
        to,
        site.mode,
        str(site.runs),
        verdict,
    )
