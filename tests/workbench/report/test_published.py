"""The published scores: of known upsamplers, with known sources, as the costs name their models."""

import pytest

from dysample import list_upsamplers
from dysample.workbench.costs.published import models, read_rows
from dysample.workbench.report import published


@pytest.mark.parametrize("scores", published.SCORES, ids=lambda scores: scores.metric)
def test_scores_name_known_upsamplers_sources_and_notes(scores):
    assert set(scores.by_name) <= set(list_upsamplers())
    for score in scores.by_name.values():
        assert score.sources
        assert set(score.sources.split()) <= set(published.SOURCES)
        assert not score.note or score.note in published.NOTES
        assert 0 < score.value < 100
    assert scores.task == "depth" or scores.model in {model.title for model in models()}


def test_every_row_is_a_score_and_none_comes_twice():
    rows = read_rows(published.__file__)
    assert len(rows) == sum(len(scores.by_name) for scores in published.SCORES)
    assert published.DEPTH.by_name["dysample_plus"] == published.Score("0.116", "P")


def test_the_main_measure_of_each_task_comes_first():
    main = [published.main_scores(task) for task in ("semantic", "instance", "depth")]
    assert [scores.metric for scores in main] == ["miou", "mask_ap", "abs_rel"]
    assert published.main_scores("juggling") is None


def test_design_steps_are_registered():
    assert set(published.STEP_GAINS) <= set(list_upsamplers("dysample_step_*"))
