"""Charts: nothing covers a name, nothing misleads, and every colour follows the page."""

import re
from itertools import pairwise

import pytest

from dysample.workbench.drawing.intervals import REACH, shared_limits
from dysample.workbench.drawing.palette import CHART
from dysample.workbench.report.intervals import Estimate
from dysample.workbench.report.page.cost_chart import (
    FOOT,
    LINE,
    TOP,
    Point,
    draw_costs,
    spread_heights,
)


def texts(svg):
    return re.findall(r"<text [^>]*>([^<]*)</text>", svg)


def test_only_colours_of_the_page(families):
    svg = draw_costs("a", "t", "x", [Point("carafe", False, 1e6, 0.5, (0.4, 0.6))], "alt").svg
    assert re.findall(r"#[0-9a-f]{6}", svg) == []
    used = set(re.findall(r"var\(--([a-z]+)\)", svg))
    assert {"unguided", "muted", "ink"} <= used <= set(CHART)


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


def named(points):
    """The drawing, and where it writes each name: (x, y) of its start in pixels from the top."""
    svg = draw_costs("a", "t", "x", points, "alt").svg
    found = re.findall(r'<text [^>]*x="([\d.]+)" y="([\d.]+)"[^>]*>([^<]*)</text>', svg)
    names = {point.name for point in points}
    return svg, {name: (float(x), float(y)) for x, y, name in found if name in names}


@pytest.mark.parametrize("count", [1, 6, 40])
def test_names_stand_in_a_column_and_cover_nothing(count):
    """Even if all points lie in one place: the chart grows with the names."""
    svg, places = named([Point(f"up_{place}", False, 1e6, 0.5) for place in range(count)])
    assert len(places) == count
    assert len({x for x, _ in places.values()}) == 1
    heights = sorted(y for _, y in places.values())
    assert all(below - above >= LINE - 0.2 for above, below in pairwise(heights))
    height = float(re.search(r'viewBox="0 0 [\d.]+ ([\d.]+)"', svg)[1])
    assert heights[0] > TOP
    assert heights[-1] < height - FOOT + LINE


@pytest.mark.parametrize(
    ("wanted", "heights"),
    [
        ([], []),
        ([90, 40], [90, 40]),
        ([50, 50], [57, 43]),
        ([51, 50, 49], [64, 50, 36]),
        ([90, 52, 48, 10], [90, 57, 43, 10]),
        ([62, 50, 50], [68, 54, 40]),
        ([100, 100], [93, 79]),
        ([3, 0], [21, 7]),
        ([0] * 8, [93 - LINE * line for line in range(8)]),
    ],
)
def test_lines_of_text_move_apart_as_little_as_possible(wanted, heights):
    assert LINE == 14
    assert spread_heights(wanted, 100) == pytest.approx(heights)


def test_names_keep_the_order_of_their_points():
    scores = {"low": 0.1, "high": 0.9, "higher": 0.901}
    _, places = named([Point(name, False, 1e6, score) for name, score in scores.items()])
    assert places["higher"][1] + LINE == pytest.approx(places["high"][1], abs=0.2)
    assert places["high"][1] + 100 < places["low"][1]


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
