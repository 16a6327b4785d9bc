"""The charts of a family of runs, with what they show in words."""

from __future__ import annotations

from collections.abc import Iterator

from dysample.registry import get_entry
from dysample.workbench.costs.published import FLOPS, PARAMETERS, increment, models
from dysample.workbench.report.intervals import Estimate
from dysample.workbench.report.page.ablations import Ablation
from dysample.workbench.report.page.blocks import Beside, Chart, Paragraph
from dysample.workbench.report.page.compared import Compared, Family
from dysample.workbench.report.page.cost_chart import Point, draw_costs
from dysample.workbench.report.page.curves import draw_curves
from dysample.workbench.report.page.forest import Line, draw_forest, shared_limits
from dysample.workbench.report.published import Scores, main_scores
from dysample.workbench.report.summary import BASELINE
from dysample.workbench.report.wording import difference

MACS_NAME = "multiply-adds of the upsamplers, an image"
PARAMETERS_NAME = "parameters of the upsamplers"


def difference_charts(family: Family) -> Beside | None:
    """A chart a main measure and head; heads share a scale. None if there is no difference."""
    charts = []
    for metric in family.members[0].group.main:
        estimates = [
            one
            for member in family.members
            for row in member.rows
            if (one := member.to_baseline[metric].get(row.name)) is not None
        ]
        if estimates:
            limits = shared_limits(estimates)
            charts += [_difference_chart(family, one, metric, limits) for one in family.members]
    return Beside(tuple(charts)) if charts else None


def ablation_chart(member: Compared, ablation: Ablation, name: str) -> Chart:
    """The rows of an ablation, as differences to bilinear in the leading measure."""
    metric = member.group.main[0]
    found = member.to_baseline[metric]
    lines = [
        Line(label, row.guided, found.get(row.name))
        for label, row in zip(ablation.labels, ablation.rows)
    ]
    measure = member.group.measures[metric]
    title = f"{ablation.title}, {measure.name}"
    limits = shared_limits([line.estimate for line in lines if line.estimate is not None])
    return draw_forest(
        name,
        _with_head(title, member),
        _axis(measure.higher_is_better),
        lines,
        limits,
        _alt(title, lines),
    )


def cost_charts(family: Family) -> Iterator[Beside | Paragraph]:
    """Ours, a chart a head, and the literature's in a chart of their own."""
    group = family.members[0].group
    scores = main_scores(group.task)
    quantity = _published_quantity(scores)
    charts = [
        _cost_chart(member, quantity, f"{family.anchor}-cost-{place}")
        for place, member in enumerate(family.members)
    ]
    if scores is not None and quantity is not None:
        charts.append(_published_chart(scores, quantity, f"{family.anchor}-cost-published"))
    yield Beside(tuple(charts))
    if scores is not None and quantity is None:
        printed = ", ".join(f"{name} {score.printed}" for name, score in scores.by_name.items())
        yield Paragraph(f"The literature has {scores.measure} of {scores.model}: {printed}.")


def curve_charts(family: Family) -> Beside | None:
    """A chart a head of how the loss fell; None if no run tells."""
    charts = [
        draw_curves(
            f"{family.anchor}-curves-{place}",
            _with_head("Training loss", member),
            member.rows,
            f"Training loss over steps for {len(member.rows)} upsamplers, a panel each, with "
            f"{BASELINE} behind each for comparison.",
        )
        for place, member in enumerate(family.members)
    ]
    found = tuple(chart for chart in charts if chart is not None)
    return Beside(found) if found else None


def _difference_chart(
    family: Family, member: Compared, metric: str, limits: tuple[float, float]
) -> Chart:
    measure = member.group.measures[metric]
    found = member.to_baseline[metric]
    lines = [
        Line(row.name, row.guided, found.get(row.name))
        for row in member.rows
        if row.name != BASELINE
    ]
    title = _with_head(measure.name, member)
    return draw_forest(
        f"{family.anchor}-{metric}-{member.group.head}",
        title,
        _axis(measure.higher_is_better),
        lines,
        limits,
        _alt(f"{title}: differences to {BASELINE}", lines),
    )


def _cost_chart(member: Compared, quantity: str | None, name: str) -> Chart:
    metric = member.group.main[0]
    measure = member.group.measures[metric]
    baseline = member.group.baseline
    level = None if baseline is None else baseline.metrics[metric].mean
    points = []
    for row in member.rows:
        mean, one = row.metrics[metric].mean, member.to_baseline[metric].get(row.name)
        if mean is None:
            continue
        record = row.records[0]
        cost = record.parameters.upsamplers if quantity == PARAMETERS else record.macs.upsamplers
        if one is None or level is None:
            points.append(Point(row.name, row.guided, cost, mean))
        else:
            points.append(_paired_point(row.name, row.guided, cost, level, one))
    title = _with_head(f"{measure.name} against cost", member)
    return draw_costs(
        name,
        title,
        PARAMETERS_NAME if quantity == PARAMETERS else MACS_NAME,
        points,
        f"{title}: {_points_alt(points)}",
    )


def _paired_point(name: str, guided: bool, cost: float, level: float, one: Estimate) -> Point:
    """At bilinear's level plus the paired difference, which the seeds' common ups leave alone."""
    ends = None if one.bootstrap is None else (level + one.bootstrap[0], level + one.bootstrap[1])
    seeds = tuple(level + value for value in one.by_seed.values())
    return Point(name, guided, cost, level + one.mean, ends, seeds)


def _published_quantity(scores: Scores | None) -> str | None:
    """Multiply-adds where the size of the model's maps is known, parameters where they are."""
    model = None if scores is None else next((m for m in models() if m.title == scores.model), None)
    if model is None:
        return None
    return FLOPS if model.sizes else PARAMETERS


def _published_chart(scores: Scores, quantity: str, name: str) -> Chart:
    model = next(model for model in models() if model.title == scores.model)
    points = [
        Point(up, get_entry(up).guided, float(increment(model, up, quantity) or 0), score.value)
        for up, score in scores.by_name.items()
    ]
    title = f"The literature: {scores.measure} (%)"
    caption = (
        f"{scores.model}. Scores as printed, one run each; costs by this package's formulas for "
        "that model, as the papers do not print all of them."
    )
    return draw_costs(
        name,
        title,
        PARAMETERS_NAME if quantity == PARAMETERS else MACS_NAME,
        points,
        f"{title}, {scores.model}: {_points_alt(points)}",
        caption,
        published=True,
    )


def _points_alt(points: list[Point]) -> str:
    return "; ".join(f"{point.name} {point.score:.4g}" for point in points)


def _alt(title: str, lines: list[Line]) -> str:
    told = "; ".join(
        f"{line.name} {difference(line.estimate.mean)}" for line in lines if line.estimate
    )
    return f"{title}: {told}"


def _with_head(title: str, member: Compared) -> str:
    return f"{title}, {member.head}" if member.head else title


def _axis(higher_is_better: bool) -> str:
    better = "right" if higher_is_better else "left"
    return f"difference to {BASELINE} ({better} is better)"
