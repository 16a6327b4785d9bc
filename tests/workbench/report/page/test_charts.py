"""Charts: nothing covers a name, nothing misleads, and every colour follows the page."""

import re

import pytest
from matplotlib import rc_context

from dysample.workbench.report.intervals import Estimate
from dysample.workbench.report.page.cost_chart import Point, draw_costs
from dysample.workbench.report.page.figure import COLOURS, STYLE, Canvas
from dysample.workbench.report.page.forest import REACH, shared_limits
from dysample.workbench.report.page.labels import POINT, place_names


def texts(svg):
    return re.findall(r"<text [^>]*>([^<]*)</text>", svg)


def test_only_colours_of_the_page(families):
    svg = draw_costs("a", "t", "x", [Point("carafe", False, 1e6, 0.5, (0.4, 0.6))], "alt").svg
    assert re.findall(r"#[0-9a-f]{6}", svg) == []
    used = set(re.findall(r"var\(--([a-z]+)\)", svg))
    assert {"unguided", "muted", "ink"} <= used <= set(COLOURS)


def test_charts_of_one_page_share_no_id_and_one_drawn_twice_is_the_same():
    points = [Point("carafe", False, 1e6, 0.5)]
    one, again, other = (draw_costs(name, "t", "x", points, "alt").svg for name in "aab")
    assert one == again
    ids = [set(re.findall(r' id="([^"]+)"', svg)) for svg in (one, other)]
    assert ids[0]
    assert not ids[0] & ids[1]


def test_ticks_are_right_and_zero_has_a_place_of_its_own():
    costs = {"nearest": 0, "bilinear": 4e5, "carafe": 6e7}
    points = [
        Point(name, False, cost, 40.2 + 0.3 * place)
        for place, (name, cost) in enumerate(costs.items())
    ]
    found = texts(draw_costs("a", "t", "x", points, "alt").svg)
    assert {"0", "1M", "10M"} <= set(found)
    scores = [float(text) for text in found if "." in text]
    assert len(scores) > 2
    assert all(40 < score < 41 for score in scores)


def test_names_cover_neither_points_nor_each_other():
    """A crowd as in the published scores: four points within a few pixels."""
    points = [(1.0, 1.0), (1.03, 1.01), (1.06, 1.0), (1.03, 0.98), (0.0, 0.0), (2.0, 2.0)]
    names = ["dysample_s_plus", "dysample", "dysample_plus", "dysample_s", "nearest", "carafe"]
    with rc_context(STYLE):
        canvas = Canvas("a", 300)
        axes = canvas.axes(50, 30, 350, 230)
        axes.set_xlim(-0.2, 2.2)
        axes.set_ylim(-0.2, 2.2)
        place_names(axes, points, names, 11, [(1.03, 0.9, 1.1)])
        canvas.figure.canvas.draw()
        boxes = [text.get_window_extent() for text in axes.texts if text.get_text()]
    assert len(boxes) == len(names)
    for place, box in enumerate(boxes):
        for other in boxes[place + 1 :]:
            assert not box.padded(-1.5).overlaps(other.padded(-1.5))
        for x, y in axes.transData.transform(points):
            assert not box.padded(-POINT / 2).contains(x, y)


@pytest.mark.parametrize(
    ("t", "expected"),
    [((-0.01, 0.03), (-0.01, 0.03)), ((-9.0, 9.0), (-REACH * 0.02, 0.02 + REACH * 0.02))],
)
def test_limits_hold_all_dots_and_follow_t_only_so_far(t, expected):
    low, high = shared_limits([Estimate({0: 0.0, 1: 0.02}, False, (0.0, 0.02), t)])
    margin = 0.06 * (expected[1] - expected[0])
    expected = (max(expected[0], -REACH * 0.02), min(expected[1], 0.02 + REACH * 0.02))
    margin = 0.06 * (expected[1] - expected[0])
    assert low == pytest.approx(expected[0] - margin)
    assert high == pytest.approx(expected[1] + margin)
