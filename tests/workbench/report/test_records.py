"""The result file: what is read, what is forgiven, what is refused."""

import json
import logging

import pytest

from dysample.workbench.report.records import read_records


def test_reads_every_field(entry, write):
    one = entry("dysample", 3, frames=1) | {"upsampler_options": {"groups": 8}}
    (record,) = read_records(write([one]))
    assert (record.upsampler, record.seed, record.guided) == ("dysample", 3, False)
    assert record.options == {"groups": 8}
    assert record.metrics["miou"] == one["metrics"]["miou"]
    assert record.upsampler_macs == one["macs"]["upsamplers"]
    assert record.seconds == one["seconds"]["train"]
    assert record.samples[0].sampling.groups == 4
    assert record.source.endswith("results.jsonl` line 1")


def test_reads_the_measures_of_any_task(depth_entry, write):
    (record,) = read_records(write([depth_entry(abs_rel=0.25)]))
    assert list(record.measures) == ["abs_rel", "delta1", "rmse", "ap_small"]
    assert [m.higher_is_better for m in record.measures.values()] == [False, True, False, True]
    assert record.metrics == {"abs_rel": 0.25, "delta1": 0.8, "rmse": 1.0, "ap_small": None}


def test_a_main_measure_may_be_undefined(depth_entry, write):
    line = depth_entry()
    line["metrics"]["abs_rel"] = None
    (record,) = read_records(write([line]))
    assert record.metrics["abs_rel"] is None


def test_lines_without_measures_are_semantic(entry, write):
    (record,) = read_records(write([entry(frames=0)]))
    assert [m.name for m in record.measures.values()] == ["mIoU", "boundary IoU"]


def test_a_torn_last_line_is_skipped_with_a_note(entry, write, caplog):
    path = write([entry(seed=0, frames=0), entry(seed=1, frames=0)])
    path.write_bytes(path.read_bytes()[:-40])
    with caplog.at_level(logging.WARNING):
        records = read_records(path)
    assert [record.seed for record in records] == [0]
    assert "the last line is skipped" in caplog.text


def test_a_last_line_torn_inside_a_character_is_skipped(entry, write):
    path = write([entry(frames=0)])
    path.write_bytes(path.read_bytes() + '{"run": "é'.encode()[:-1])
    assert len(read_records(path)) == 1


def test_a_complete_last_line_without_newline_counts(entry, write):
    path = write([entry(seed=0, frames=0), entry(seed=1, frames=0)])
    path.write_bytes(path.read_bytes()[:-1])
    assert [record.seed for record in read_records(path)] == [0, 1]


@pytest.mark.parametrize("line", ['{"run": ', "nonsense"])
def test_any_other_unreadable_line_is_an_error(entry, write, line):
    path = write([entry(frames=0)])
    text = path.read_text()
    path.write_text(f"{text}{line}\n{text}")
    with pytest.raises(ValueError, match=r"results.jsonl` line 2: not JSON"):
        read_records(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": 2}, r"`schema` \(=2\) must be 1"),
        ({"seed": "0"}, "`seed` must be of type int, not str"),
        ({"seed": True}, "`seed` must be of type int, not bool"),
        ({"metrics": {"miou": 0.5}}, "`metrics.boundary_iou` is missing"),
        ({"metrics": {"miou": "1", "boundary_iou": 0.1}}, r"`metrics.miou` \(=1\) must be a"),
        ({"metrics": {"miou": float("nan"), "boundary_iou": 0.1}}, r"\(=nan\) must be a finite"),
        ({"measures": {}}, r"`measures` \(=\[\]\) must name at least 2 metrics"),
        ({"measures": {"miou": {}, "x": {}}}, "`name` is missing"),
        ({"samples": [{"index": 0}]}, "`image` is missing"),
        ({"data": {"name": "scenes"}}, "`data.height` is missing"),
    ],
)
def test_a_line_of_another_form_is_named(entry, write, change, message):
    path = write([entry(frames=0), entry(frames=0) | change])
    with pytest.raises(ValueError, match=rf"results.jsonl` line 2: .*{message}") as caught:
        read_records(path)
    assert "\n" not in str(caught.value)


def test_a_line_that_is_no_object_is_named(entry, write):
    path = write([entry(frames=0)])
    path.write_text(path.read_text() + "[1]\n")
    with pytest.raises(ValueError, match="line 2: `schema` is missing"):
        read_records(path)


def test_of_lines_with_one_run_id_the_last_counts(entry, write):
    again = entry(frames=0, miou=0.25)
    records = read_records(write([entry(frames=0, miou=0.75), entry(seed=1, frames=0), again]))
    assert [record.seed for record in records] == [0, 1]
    assert records[0].metrics["miou"] == 0.25


def test_an_absent_class_and_blank_lines_do_no_harm(entry, write):
    path = write([entry(frames=0)])
    assert json.loads(path.read_text())["metrics"]["class_iou"]["ball"] is None
    path.write_text("\n" + path.read_text() + "\n")
    assert len(read_records(path)) == 1


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"nowhere.jsonl`: no such result file"):
        read_records(tmp_path / "nowhere.jsonl")


def test_what_newer_lines_hold_besides(entry, write):
    line = entry(frames=0) | {
        "parts": {"miou": [0.5, None, 0.7]},
        "curve": {"step": [6, 12], "loss": [1.5, 0.5]},
    }
    (record,) = read_records(write([line]))
    assert record.parts == {"miou": (0.5, None, 0.7)}
    assert (record.curve.step, record.curve.loss) == ((6, 12), (1.5, 0.5))
    assert record.classes["class_iou"]["ball"] is None
    assert record.versions["torch"] == "2.14.1"
    assert record.machine["cpu"] == "Some Processor"
    assert record.finished.startswith("2026")


def test_lines_of_older_versions_lack_them(entry, write):
    line = entry(frames=0)
    for key in ("versions", "machine", "finished"):
        del line[key]
    (record,) = read_records(write([line]))
    assert (record.parts, record.curve, record.versions, record.finished) == ({}, None, {}, "")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"parts": {"miou": [0.5, "x"]}}, r"`parts.miou` \(=x\) must be a finite number"),
        ({"parts": []}, "`parts` must be of type dict"),
        ({"curve": {"step": [1, 2], "loss": [0.5]}}, "`curve` has 2 steps and 1 losses"),
        ({"curve": {"step": [1]}}, "`curve.loss` is missing"),
    ],
)
def test_newer_parts_of_another_form_are_named(entry, write, change, message):
    with pytest.raises(ValueError, match=rf"line 1: .*{message}"):
        read_records(write([entry(frames=0) | change]))
