"""The chart of the search: every result in its place, or marked where it has none."""

import re

import pytest

from dysample.workbench.drawing.palette import CHART
from dysample.workbench.record import read_records
from dysample.workbench.report.rates_chart import draw_rates
from dysample.workbench.report.summary import summarise
from support.made_results import tuned_runs, write_runs

NAMES = ("bilinear", "carafe", "dysample", "dysample_s")


@pytest.fixture
def drawn(tmp_path):
    """The chart of some trials, its texts and its tooltips."""

    def build(task, tried, chosen, name="a"):
        path = write_runs(tmp_path / "a.jsonl", tuned_runs(task, tried, chosen))
        (group,) = summarise(read_records(path))
        chart = draw_rates(name, "title", group, group.searches)
        if chart is None:
            return None
        texts = re.findall(r"<text [^>]*>([^<]*)</text>", chart.svg)
        return chart, texts, re.findall(r"<title>([^<]*)</title>", chart.svg)

    return build


def test_each_result_has_a_mark_and_the_choice_is_named(drawn):
    tried = {
        name: {1.0: 0.5, 0.3: 0.6 + 0.01 * place, 0.1: 0.55} for place, name in enumerate(NAMES)
    }
    tried["fade"] = {1.0: 0.52, 0.3: 0.5}
    chart, texts, tips = drawn("semantic", tried, dict.fromkeys(tried, 0.3))
    assert {*NAMES, "fade", "scale of the learning rate", "large: chosen; cross: no result"} <= {
        *texts
    }
    assert "dashed: bilinear; grey: the others" in texts
    assert len(tips) == 15
    assert "carafe at 0.3: .610, chosen" in tips
    assert "carafe at 0.1: .550" in tips
    assert "fade at 0.1: no result" in tips
    assert chart.alt == (
        "title, a panel an upsampler; chosen scales: bilinear 0.3; carafe 0.3; dysample 0.3; "
        "dysample_s 0.3; fade 0.3"
    )
    assert {"0.1", "0.3", "1"} <= set(texts)
    assert re.findall(r"#[0-9a-f]{6}", chart.svg) == []
    assert {"guided", "unguided", "reference"} <= set(re.findall(r"var\(--([a-z]+)\)", chart.svg))
    assert set(re.findall(r"var\(--([a-z]+)\)", chart.svg)) <= set(CHART)


@pytest.mark.parametrize(
    ("task", "good", "bad", "ends"),
    [("semantic", 0.6, 0.01, (0.54, 0.64)), ("depth", 0.2, 9.0, (0.16, 0.26))],
)
def test_one_bad_result_does_not_flatten_the_others(drawn, task, good, bad, ends):
    tried = {
        name: {1.0: good, 0.3: good + 0.01 * place, 0.1: good - 0.01 * place, 0.03: good}
        for place, name in enumerate(NAMES)
    }
    tried["carafe"][1.0] = bad
    _, texts, tips = drawn(task, tried, dict.fromkeys(tried, 0.3))
    numbers = [float(text) for text in texts if re.fullmatch(r"\.\d+", text)]
    assert len(numbers) >= 2
    assert ends[0] <= min(numbers) < max(numbers) <= ends[1]
    assert "large: chosen; arrow: beyond the axis" in texts
    assert f"carafe at 1: {bad:.3f}".replace(" 0.", " .") in tips


def test_trials_on_their_way_are_no_failures(drawn):
    tried = {"dysample": {1.0: 0.5, 0.3: 0.6, 0.1: 0.4}, "bilinear": {1.0: 0.5}}
    _, texts, tips = drawn("semantic", tried, {"dysample": 0.3})
    assert not any("no result" in text for text in (*texts, *tips))
    assert len(tips) == 4


def test_nothing_is_drawn_without_a_result(drawn):
    assert drawn("semantic", {}, {"bilinear": 0.3}) is None
    assert drawn("semantic", {"bilinear": {1.0: None}}, {"bilinear": 1.0}) is None


def test_one_trial_of_one_upsampler_is_a_chart(drawn):
    _, texts, tips = drawn("semantic", {"dysample": {0.1: 0.5}}, {"dysample": 0.1})
    assert tips == ["dysample at 0.1: .500, chosen"]
    assert "0.1" in texts
    assert not any("grey" in text or "bilinear" in text for text in texts)


def test_many_scales_have_the_outer_ones_named(drawn):
    scales = [0.01 * place for place in range(1, 12)]
    _, texts, _ = drawn("semantic", {"dysample": dict.fromkeys(scales, 0.5)}, {"dysample": 0.01})
    assert {"0.01", "0.11"} <= set(texts)
    assert "0.05" not in texts


def test_charts_of_one_page_share_no_id(drawn):
    tried = {"dysample": {1.0: 0.5, 0.1: 0.6}}
    one, other = (drawn("semantic", tried, {"dysample": 0.1}, name)[0].svg for name in "ab")
    ids = [set(re.findall(r' id="([^"]+)"', svg)) for svg in (one, other)]
    assert ids[0]
    assert not ids[0] & ids[1]
