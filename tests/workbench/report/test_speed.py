"""The figure of the bench: bars for rivals, lines for the sweep."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from dysample.workbench.report import speed
from dysample.workbench.report.speed import draw_speed
from support.bench_rows import bench_row

RIVALS = [
    bench_row(row="published", ratio=5.0, target=4.5),
    bench_row(row="published", ratio=3.0, target=4.5, malloc="default"),
    bench_row(workload="W5", row="bilinear", ratio=0.6, target=0.5),
    bench_row(suite="kernels", workload="carafe", row="eager", ratio=12.0),
]
SWEEP = [
    bench_row(suite="sweep", workload=f"sweep-{side}", shape=[1, 32, side, side], row=name)
    for side in (32, 64)
    for name in ("dysample", "published")
]
SWEEP.append({**SWEEP[0], "malloc": "default", "nanoseconds_an_element": 0.5})


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """Draws rows, looks whether there is a picture, and returns matplotlib's figure."""

    def draw(rows) -> Figure:
        figures = []
        save = speed.save_whole
        monkeypatch.setattr(speed, "save_whole", lambda f, path: (figures.append(f), save(f, path)))
        draw_speed(rows, tmp_path / "speed.png")
        with Image.open(tmp_path / "speed.png") as picture:
            assert np.asarray(picture.convert("L")).std() > 10
        return figures[0]

    return draw


def test_bars_start_at_equal_speed_and_targets_are_marked(drawn) -> None:
    (axes,) = drawn([bench_row(), *RIVALS]).axes
    bars = [bar for bar in axes.patches if bar.get_y() > -1]
    assert [bar.get_x() + bar.get_width() for bar in bars] == [5.0, 3.0, pytest.approx(0.6), 12.0]
    assert all(bar.get_x() == 1 for bar in bars)
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == ["W1, published", "W5, bilinear", "carafe, eager"]
    marks = [list(line.get_xdata()) for line in axes.lines]
    assert [4.5, 4.5] in marks
    assert [0.5, 0.5] in marks


def test_the_sweep_has_a_line_a_row(drawn) -> None:
    (axes,) = drawn(SWEEP).axes
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert names == ["dysample", "published"]
    lines = [line for line in axes.lines if len(line.get_xdata())]
    assert [line.get_linestyle() for line in lines] == ["-", ":", "-"]
    assert list(lines[0].get_xdata()) == [4 * 32 * 32**2, 4 * 32 * 64**2]
    assert list(lines[1].get_ydata()) == [0.5]


def test_both_stand_side_by_side(drawn) -> None:
    assert len(drawn([*RIVALS, *SWEEP]).axes) == 2


def test_nothing_to_draw(tmp_path) -> None:
    with pytest.raises(ValueError, match="needs rows of the suites paper, kernels or sweep"):
        draw_speed([bench_row(suite="small")], tmp_path / "speed.png")
    assert list(tmp_path.iterdir()) == []
