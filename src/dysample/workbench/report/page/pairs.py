"""Every upsampler against every other, in the leading measure."""

from __future__ import annotations

from dysample.workbench.report.intervals import Estimate, estimate
from dysample.workbench.report.page.blocks import Folded, Table
from dysample.workbench.report.page.compared import Compared
from dysample.workbench.report.summary import Row
from dysample.workbench.report.verdict import Verdict, verdict
from dysample.workbench.report.wording import difference

OPEN = "·"
"""Not significant."""


def pair_table(member: Compared) -> Folded | None:
    """How far each row is above each column where significant; None without enough seeds."""
    metric = member.group.main[0]
    measure = member.group.measures[metric]
    rows = member.rows
    found = {
        (one.name, other.name): estimate(one, other, metric)
        for place, one in enumerate(rows)
        for other in rows[place + 1 :]
    }
    judged = [one for one in found.values() if one and verdict(one) is not Verdict.FEW]
    if not judged:
        return None
    lines = tuple((one.name, *(_cell(found, one, other) for other in rows)) for one in rows)
    lower = "" if measure.higher_is_better else ", lower is better"
    head = f", {member.head}" if member.head else ""
    title = f"Every pair of upsamplers: {measure.name}{head}"
    caption = (
        f"{measure.name} of the row minus that of the column{lower}; {OPEN} where it is "
        f"not significant. Of {len(judged)} pairs without any difference about "
        f"{max(1, round(len(judged) / 20))} would show a number"
    )
    return Folded(title, (Table(caption, ("", *(row.name for row in rows)), lines),))


def _cell(found: dict[tuple[str, str], Estimate | None], one: Row, other: Row) -> str:
    if one is other:
        return ""
    direct, turned = found.get((one.name, other.name)), found.get((other.name, one.name))
    either = direct or turned
    if either is None or verdict(either) is Verdict.FEW:
        return "-"
    if verdict(either) is Verdict.OPEN:
        return OPEN
    return difference(either.mean if direct is not None else -either.mean)
