"""The figures: written whole, with the marks where they belong."""

import io

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from dysample.workbench.drawing import sheet
from dysample.workbench.drawing.class_maps import label_edges, mark_errors
from dysample.workbench.drawing.offsets import direction_colours
from dysample.workbench.drawing.palette import IGNORED, WRONG, byte_colour, class_colour, paint
from dysample.workbench.record import read_records
from dysample.workbench.report import predictions
from dysample.workbench.report.report import write_report
from dysample.workbench.report.samples import decode_frame
from dysample.workbench.report.sampling import draw_sampling
from dysample.workbench.report.summary import summarise

FIVE = ["nearest", "bilinear", "carafe", "dysample", "dysample_s_plus"]


def report(path, folder):
    """The figures; of the page there are tests in `page`."""
    *figures, _, _, _ = write_report(path, folder, Console(file=io.StringIO(), width=80))
    return figures


def pixels(path):
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def marks(path):
    """Pixels of the error colour in the panels, of which black text and frames are not part."""
    with Image.open(path) as picture:
        black = np.asarray(picture.convert("L")) < 8
    core = black.copy()
    for axis in (0, 1):
        for step in (-1, 1):
            core &= np.roll(black, step, axis)
    return int(core.sum())


def test_a_report_of_two_seeds(entry, write, tmp_path):
    path = write([entry(name, seed, frames=1) for seed in (0, 1) for name in FIVE])
    console = Console(file=io.StringIO(), width=80)
    written = write_report(path, tmp_path / "new" / "out", console)
    figures = ["predictions.png", "sampling.png"]
    names = [*figures, "report.csv", "report.md", "report.html"]
    assert [file.name for file in written] == names
    assert sorted(file.name for file in (tmp_path / "new" / "out").iterdir()) == sorted(names)
    assert all(f"wrote {file}" in console.file.getvalue() for file in written)
    assert console.file.getvalue().endswith("report.html\n")
    for figure in written[:2]:
        assert pixels(figure).std() > 20


def test_errors_are_marked_where_the_prediction_is_wrong_and_nowhere_else():
    label = np.zeros((8, 8), np.uint8)
    label[:, 4:] = 1
    label[7] = 255
    prediction = label.copy()
    prediction[2, 4] = 0
    prediction[2, 0] = 1
    prediction[7] = 1
    marked = mark_errors(label, prediction)
    wrong = (marked == byte_colour(WRONG)).all(axis=-1)
    assert np.argwhere(wrong).tolist() == [[2, 4]]
    np.testing.assert_array_equal(marked[2, 0], paint(prediction)[2, 0])
    assert (marked[7] == byte_colour(IGNORED)).all()


def test_marks_reach_the_figure(entry, write, tmp_path):
    right = entry("bilinear", frames=1, size=(32, 32))
    sample = right["samples"][0]
    wrong = entry("bilinear", frames=1, size=(32, 32))
    right["samples"] = [sample | {"prediction": sample["label"]}]
    counts = []
    for name, one in (("right", right), ("wrong", wrong)):
        (figure,) = [f for f in report(write([one]), tmp_path / name) if "predict" in f.name]
        counts.append(marks(figure))
    # A perfect prediction leaves the square in the legend and bold letters.
    assert counts[1] > 5 * counts[0]


@pytest.mark.parametrize("size", [(40, 40), (33, 64)])
def test_every_label_pixel_is_one_square_of_its_colour(entry, write, tmp_path, size):
    path = write([entry("nearest", frames=1, size=size)])
    (figure,) = report(path, tmp_path / "out")
    (record,) = read_records(path)
    label = decode_frame(record, record.samples[0]).label
    side = round(predictions.PANEL / max(size))
    left = sheet.MARGIN + size[1] * side + predictions.GAP  # the second panel
    top = sheet.HEADER + sheet.LINE
    panel = pixels(figure)[top : top + size[0] * side, left : left + size[1] * side].astype(int)
    expected = paint(label).repeat(side, axis=0).repeat(side, axis=1)
    # The frame around the panel covers its outermost pixels.
    assert np.abs(panel - expected)[2:-2, 2:-2].max() <= 1


def test_sixteen_upsamplers_are_wrapped(entry, write, tmp_path):
    names = [*FIVE, *(f"variant_{number}" for number in range(11))]
    written = report(write([entry(name, frames=1) for name in names]), tmp_path / "out")
    height, width, _ = pixels(written[0]).shape
    assert width < 2200
    assert height > 3 * predictions.PANEL


def test_several_heads_and_data_sets_get_files_of_their_own(entry, write, tmp_path):
    runs = [{}, {"head": "skip"}, {"data": "camvid", "size": (45, 60)}, {"size": (32, 32)}]
    path = write([entry(n, frames=1, **run) for run in runs for n in ("bilinear", "dysample")])
    names = {figure.name for figure in report(path, tmp_path / "out")}
    ends = ("", "-skip", "-camvid", "-2")
    assert names == {f"{kind}{end}.png" for kind in ("predictions", "sampling") for end in ends}


def test_what_the_file_lacks_is_left_out(entry, write, tmp_path):
    written = report(write([entry("carafe", frames=1)]), tmp_path / "out")
    assert [figure.name for figure in written] == ["predictions.png"]
    assert report(write([entry("carafe", frames=0)]), tmp_path / "none") == []


def test_large_frames_show_a_window(entry, write, tmp_path):
    written = report(write([entry("dysample", frames=1, size=(180, 240))]), tmp_path / "out")
    assert [figure.name for figure in written] == ["predictions.png", "sampling.png"]
    height, width, _ = pixels(written[0]).shape
    assert width > 4 * 240
    assert height < 600


def test_an_empty_file_and_a_file_as_folder_are_refused(entry, write, tmp_path):
    with pytest.raises(ValueError, match=r"results.jsonl`: holds no finished run"):
        report(write([]), tmp_path / "out")
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"file` must be a folder"):
        report(write([entry(frames=0)]), tmp_path / "file")


def test_bad_positions_name_the_line(entry, write, tmp_path):
    one = entry("dysample", frames=1)
    one["samples"][0]["sampling"]["positions"] = "AAAA"
    (group,) = summarise(read_records(write([one])))
    with pytest.raises(ValueError, match=r"line 1: sample 0: `positions` has 3 bytes"):
        draw_sampling(group, tmp_path / "sampling.png")


def test_a_figure_that_fails_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    page = sheet.Sheet(50, 50)

    def fail(part, **_):
        part.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(page.figure, "savefig", fail)
    with pytest.raises(OSError, match="disk full"):
        page.save(path)
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]


def test_classes_have_different_colours_and_the_mark_is_darker():
    colours = np.array([class_colour(index) for index in range(20)])
    distance = np.abs(colours[:, None] - colours[None]).sum(-1) + np.eye(20)
    assert distance.min() > 0.1
    assert colours.sum(axis=1).min() > 1.0


def test_direction_colours():
    offset = np.zeros((2, 1, 3))
    offset[0, 0] = [1.0, -1.0, 0.0]
    right, left, none = direction_colours(offset, 1.0)[0]
    np.testing.assert_allclose(right, [0.95, 0, 0], atol=1e-6)  # hue 0 is +x
    np.testing.assert_allclose(left, [0, 0.95, 0.95], atol=1e-6)
    np.testing.assert_allclose(none, 0.95)


def test_label_edges_run_between_pixels():
    label = np.array([[0, 1], [0, 0]], np.uint8)
    segments = {tuple(map(tuple, segment)) for segment in label_edges(label)}
    assert segments == {((0.5, -0.5), (0.5, 0.5)), ((0.5, 0.5), (1.5, 0.5))}
