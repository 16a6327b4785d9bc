"""The charts of a family of runs, with what they show in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dysample.registry import get_entry
from dysample.workbench.costs.published import FLOPS, PARAMETERS, Model, increment, models
from dysample.workbench.drawing.canvas import Chart
from dysample.workbench.drawing.intervals import Line, draw_forest, shared_limits
from dysample.workbench.numbers import difference
from dysample.workbench.report.intervals import Estimate
from dysample.workbench.report.page.ablations import Ablation
from dysample.workbench.report.page.compared import Compared, Family
from dysample.workbench.report.page.cost_chart import Point, draw_costs
from dysample.workbench.report.page.curves import draw_curves
from dysample.workbench.report.published import Scores, main_scores
from dysample.workbench.report.rates_chart import draw_rates, rates_title
from dysample.workbench.report.summary import BASELINE

AXES = {
    FLOPS: "multiply-adds of the upsamplers, an image",
    PARAMETERS: "parameters of the upsamplers",
}


def difference_charts(family: Family, metric: str) -> tuple[Chart, ...]:
    """Return one chart per head, on one scale; empty if there is no difference."""
    estimates = [one for member in family.members for one in _shown(member, metric)]
    return tuple(
        _forest(
            member,
            metric,
            f"{family.anchor}-{metric}-{member.group.head}",
            member.group.measures[metric].name,
            [(row.name, row.name, row.guided) for row in member.rows if row.name != BASELINE],
            shared_limits(estimates),
        )
        for member in family.members
        if _shown(member, metric)
    )


def ablation_chart(member: Compared, ablation: Ablation, name: str) -> Chart | None:
    """The rows of an ablation in the leading measure; None if there is no difference."""
    metric = member.group.main[0]
    found = member.to_baseline[metric]
    estimates = [found[row.name] for row in ablation.rows if row.name in found]
    if not estimates:
        return None
    lines = [(label, row.name, row.guided) for label, row in zip(ablation.labels, ablation.rows)]
    title = f"{ablation.title}, {member.group.measures[metric].name}"
    return _forest(member, metric, name, title, lines, shared_limits(estimates))


def cost_charts(family: Family) -> Iterator[Chart]:
    """Ours, a chart a head, and the literature's in a chart of their own."""
    scores = main_scores(family.task)
    model = None if scores is None else _model(scores)
    # Parameters where the sizes of the model's maps are not known.
    quantity = PARAMETERS if model is not None and not model.sizes else FLOPS
    for place, member in enumerate(family.members):
        measure = member.group.measures[member.group.main[0]]
        lower = "" if measure.higher_is_better else ", lower is better"
        title = member.titled(f"{measure.name} against cost{lower}")
        if points := _points(member, quantity):
            told = _told(title, points)
            yield draw_costs(f"{family.anchor}-cost-{place}", title, AXES[quantity], points, told)
    if scores is not None and model is not None:
        points = [
            Point(up, get_entry(up).guided, float(increment(model, up, quantity) or 0), score.value)
            for up, score in scores.by_name.items()
        ]
        title = f"The literature: {scores.measure} (%)"
        yield draw_costs(
            f"{family.anchor}-cost-published",
            title,
            AXES[quantity],
            points,
            _told(f"{title}, {scores.model}", points),
            f"{scores.model}. Scores as printed, one run each; costs by this package's formulas "
            "for that model, as the papers do not print all of them.",
            published=True,
        )


def published_without_costs(task: str) -> str | None:
    """The literature's scores in words, where the costs of its model are not known."""
    scores = main_scores(task)
    if scores is None or _model(scores) is not None:
        return None
    printed = ", ".join(f"{name} {score.printed}" for name, score in scores.by_name.items())
    return f"The literature has {scores.measure} of {scores.model}: {printed}."


def rate_charts(family: Family) -> tuple[Chart, ...]:
    """Return one chart of the search for learning rates per head, if there are trials."""
    charts = []
    for place, member in enumerate(family.members):
        hidden = {row.name for row in member.variants} - {row.name for row in member.rows}
        shown = [one for one in member.group.searches if one.name not in hidden]
        title = member.titled(rates_title(member.group))
        charts.append(draw_rates(f"{family.anchor}-rates-{place}", title, member.group, shown))
    return tuple(chart for chart in charts if chart is not None)


def curve_charts(family: Family) -> tuple[Chart, ...]:
    """Return one chart of the training loss per head, if the runs recorded it."""
    charts = [
        draw_curves(
            f"{family.anchor}-curves-{place}",
            member.titled("Training loss"),
            member.rows,
            f"Training loss over steps for {len(member.rows)} upsamplers, a panel each, with "
            f"{BASELINE} behind each for comparison.",
        )
        for place, member in enumerate(family.members)
    ]
    return tuple(chart for chart in charts if chart is not None)


def _model(scores: Scores) -> Model | None:
    return next((model for model in models() if model.title == scores.model), None)


def _shown(member: Compared, metric: str) -> list[Estimate]:
    found = member.to_baseline[metric]
    return [found[row.name] for row in member.rows if row.name in found]


def _forest(
    member: Compared,
    metric: str,
    name: str,
    title: str,
    rows: Sequence[tuple[str, str, bool]],
    limits: tuple[float, float],
) -> Chart:
    """Return a chart of differences to bilinear, for rows (label, name, guided)."""
    found = member.to_baseline[metric]
    lines = [Line(label, guided, found.get(row)) for label, row, guided in rows]
    title = member.titled(title)
    better = "right" if member.group.measures[metric].higher_is_better else "left"
    told = "; ".join(f"{one.name} {difference(one.estimate.mean)}" for one in lines if one.estimate)
    return draw_forest(
        name,
        title,
        f"difference to {BASELINE} ({better} is better)",
        lines,
        limits,
        f"{title}: differences to {BASELINE}: {told}",
    )


def _points(member: Compared, quantity: str) -> list[Point]:
    """At bilinear's level plus the paired difference, which the seeds' common ups leave alone."""
    metric = member.group.main[0]
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
            continue
        ends = one.bootstrap and (level + one.bootstrap[0], level + one.bootstrap[1])
        seeds = tuple(level + value for value in one.by_seed.values())
        points.append(Point(row.name, row.guided, cost, level + one.mean, ends, seeds))
    return points


def _told(title: str, points: Sequence[Point]) -> str:
    return f"{title}: " + "; ".join(f"{point.name} {point.score:.4g}" for point in points)
