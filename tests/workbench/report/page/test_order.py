"""Our order beside the literature's."""

from dysample.workbench.report.page.blocks import Paragraph, Table
from dysample.workbench.report.page.order import order_blocks, published_pairs
from dysample.workbench.report.published import DEPTH, SEMANTIC
from dysample.workbench.report.verdict import Verdict
from support.made_results import made_run


def runs_of(task, metric, levels, seeds=3):
    """Runs with the same score for every seed, but for a little noise of their own."""
    runs = []
    for place, (name, level) in enumerate(levels.items()):
        for seed in range(seeds):
            run = made_run(task, name, seed)
            run["metrics"][metric] = level + 1e-4 * ((seed * (place + 1)) % 3)
            run["parts"] = {}
            runs.append(run)
    return runs


def test_pairs_agree_contradict_or_stay_open(families):
    # Printed: carafe 42.82, dysample 43.21, fade 44.41, deconv 40.71.
    levels = {"carafe": 0.6, "dysample": 0.55, "fade": 0.65, "deconv": 0.55}
    (family,) = families(runs_of("semantic", "miou", levels))
    pairs = published_pairs(family.members[0], SEMANTIC)
    told = {(pair.better, pair.worse): (pair.gap, pair.noisy, pair.verdict) for pair in pairs}
    assert told[("dysample", "carafe")] == ("0.39", True, Verdict.WORSE)
    assert told[("fade", "carafe")] == ("1.59", False, Verdict.BETTER)
    assert told[("dysample", "deconv")] == ("2.50", False, Verdict.OPEN)
    assert len(pairs) == 6
    text, table = order_blocks(family.members[0])
    assert isinstance(text, Paragraph)
    assert "orders 6 pairs of these upsamplers (1 of them by no more than the 0.5" in text.text
    assert "significantly reversed: 1 (1 of them by" in text.text
    assert isinstance(table, Table)
    ((better, printed, gap, ours, bootstrap, _),) = table.rows
    assert (better, printed, gap) == ("carafe", "dysample", "0.39")
    assert ours.startswith("+.0")
    assert bootstrap.startswith("+.0")


def test_where_lower_is_better(families):
    # Printed: AbsRel .120 of bilinear, .116 of dysample_plus.
    for plus, expected in ((0.11, Verdict.BETTER), (0.14, Verdict.WORSE)):
        levels = {"bilinear": 0.13, "dysample_plus": plus}
        (family,) = families(runs_of("depth", "abs_rel", levels))
        (pair,) = published_pairs(family.members[0], DEPTH)
        assert (pair.better, pair.worse, pair.gap) == ("dysample_plus", "bilinear", "0.004")
        assert pair.verdict is expected
        assert pair.turned is (expected is Verdict.WORSE)


def test_single_runs_contradict_nothing(families):
    (family,) = families(runs_of("semantic", "miou", {"carafe": 0.6, "dysample": 0.5}, seeds=1))
    (pair,) = published_pairs(family.members[0], SEMANTIC)
    assert pair.turned
    assert pair.verdict is Verdict.FEW


def test_equal_printed_scores_have_no_order(families):
    # Both are printed as 41.50.
    (family,) = families(runs_of("semantic", "miou", {"pixel_shuffle": 0.6, "indexnet": 0.5}))
    assert published_pairs(family.members[0], SEMANTIC) == []
    assert list(order_blocks(family.members[0])) == []
