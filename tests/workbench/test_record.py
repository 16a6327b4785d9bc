"""The result file: what is read, what is forgiven, what is refused."""

import json
import logging
import re
from pathlib import Path
from typing import Any

import pytest

from dysample.workbench import record as module
from dysample.workbench.record import Record, read_records
from support.made_results import made_run, write_runs
from support.refusals import refused

EVIDENCE = Path(__file__).parents[2] / "evidence"
DATA = {"name": "scenes", "height": 8, "width": 8, "train": 2, "val": 1}
POSITIONS = {"height": 1, "width": 1, "out_height": 2, "out_width": 2, "groups": 4, "positions": ""}
SAMPLE = {"index": 5, "image": "i", "label": "l", "prediction": "p", "sampling": POSITIONS}


@pytest.fixture
def write(tmp_path: Path):
    """Writes a result file."""
    return lambda runs: write_runs(tmp_path / "results.jsonl", runs)


def entry(upsampler: str = "dysample", seed: int = 0, **changes: Any) -> dict[str, Any]:
    return made_run("semantic", upsampler, seed) | changes


def test_reads_every_field(write):
    one = entry("dysample", 3, upsampler_options={"groups": 8}, samples=[SAMPLE])
    (record,) = read_records(write([one]))
    assert (record.upsampler, record.seed, record.guided) == ("dysample", 3, False)
    assert record.upsampler_options == {"groups": 8}
    assert record.value("miou") == one["metrics"]["miou"]
    assert record.macs.upsamplers == one["macs"]["upsamplers"]
    assert record.seconds.train == one["seconds"]["train"]
    assert record.samples[0].sampling.groups == 4
    assert record.source.endswith("results.jsonl` line 1")
    assert record.curve.step == tuple(one["curve"]["step"])
    assert record.machine.cpu == "Some Processor"


def test_what_is_written_is_what_was_read(write):
    one = entry(samples=[SAMPLE, SAMPLE | {"sampling": None}])
    (record,) = read_records(write([one]))
    # In this order, too.
    assert json.dumps(record.to_line()) == json.dumps(one)


def test_the_lines_of_the_first_release_are_read_and_written_as_before():
    """They call the version `schema`."""
    for name, count in (("results.jsonl", 573), ("rates.jsonl", 26)):
        lines = [json.loads(line) for line in (EVIDENCE / name).read_text().splitlines()]
        records = read_records(EVIDENCE / name)
        assert len(records) == count
        for line, record in zip(lines, records, strict=True):
            assert line.pop("schema") == 1
            written = record.to_line()
            assert list(written) == ["version", *line]
            assert written.pop("version") == 1
            assert json.dumps(written) == json.dumps(line)


def test_a_line_without_a_version_is_of_version_1(write):
    line = entry()
    del line["version"]
    (record,) = read_records(write([line]))
    assert record.to_line()["version"] == 1


def test_another_version_is_refused_by_name(write, monkeypatch):
    monkeypatch.setattr(module, "version", lambda _: "7.8.9")
    for key in ("version", "schema"):
        line = {key: 2, **{k: v for k, v in entry().items() if k != "version"}}
        message = (
            f"results.jsonl` line 2: `{key}` (=2) must be at most 1: "
            "a newer dysample than 7.8.9 wrote it"
        )
        with refused(f"{re.escape(message)}$"):
            read_records(write([entry(), line]))


def test_reads_the_measures_of_any_task(write):
    (record,) = read_records(write([made_run("depth", "bilinear", 0)]))
    assert list(record.measures) == ["abs_rel", "delta1", "rmse"]
    assert [m.higher_is_better for m in record.measures.values()] == [False, True, False]
    assert not record.by_class


def test_a_main_measure_may_be_undefined(write):
    line = entry()
    line["metrics"]["miou"] = None
    (record,) = read_records(write([line]))
    assert record.value("miou") is None


def test_a_torn_last_line_is_skipped_with_a_note(write, caplog):
    path = write([entry(seed=0), entry(seed=1)])
    path.write_bytes(path.read_bytes()[:-40])
    with caplog.at_level(logging.WARNING):
        records = read_records(path)
    assert [record.seed for record in records] == [0]
    assert "the last line is skipped" in caplog.text


def test_a_last_line_torn_inside_a_character_is_skipped(write):
    path = write([entry()])
    path.write_bytes(path.read_bytes() + '{"run": "é'.encode()[:-1])
    assert len(read_records(path)) == 1


def test_a_complete_last_line_without_newline_counts(write):
    path = write([entry(seed=0), entry(seed=1)])
    path.write_bytes(path.read_bytes()[:-1])
    assert [record.seed for record in read_records(path)] == [0, 1]


@pytest.mark.parametrize("line", ['{"run": ', "nonsense"])
def test_any_other_unreadable_line_is_an_error(write, line):
    path = write([entry()])
    text = path.read_text()
    path.write_text(f"{text}{line}\n{text}")
    with refused(r"results.jsonl` line 2: not JSON"):
        read_records(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 0}, r"`version` (=0) must be a whole number of at least 1"),
        ({"version": "1"}, r"`version` (='1') must be a whole number of at least 1"),
        ({"version": True}, r"`version` (=True) must be a whole number of at least 1"),
        ({"seed": "0"}, "`seed` (='0') must be a whole number"),
        ({"seed": True}, "`seed` (=True) must be a whole number"),
        ({"seed": 1.0}, "`seed` (=1.0) must be a whole number"),
        ({"guided": 1}, "`guided` (=1) must be true or false"),
        ({"task": ["a"]}, "`task` (=[...]) must be text"),
        ({"run": "x\n" * 99, "seed": None}, "`seed` (=None) must be a whole number"),
        ({"finished": None}, "`finished` (=None) must be text"),
        ({"upsampler": 10**80}, f"`upsampler` (=1{'0' * 56}...) must be text"),
        ({"metrics": {"miou": 0.5}}, "`metrics.boundary_iou` is missing"),
        ({"metrics": {"miou": "1", "boundary_iou": 0.1}}, "`metrics.miou` (='1') must be a finite"),
        ({"metrics": {"miou": float("nan"), "boundary_iou": 0.1}}, "(=nan) must be a finite"),
        ({"metrics": {"miou": 10**400, "boundary_iou": 0.1}}, "...) must be a finite number"),
        ({"metrics": {"miou": {"a": 1}, "boundary_iou": 0.1}}, "(={...}) must be a finite number"),
        ({"metrics": {"c": {"a": "b"}}}, "`metrics.c.a` (='b') must be a finite number"),
        ({"metrics": [0.5]}, "`metrics` (=[...]) must be an object"),
        ({"measures": {}}, "`measures` (=none) must name at least 2 metrics"),
        ({"measures": {"miou": {}, "x": {}}}, "`measures.miou.name` is missing"),
        ({"measures": {"miou": 3, "x": {}}}, "`measures.miou` (=3) must be an object"),
        ({"samples": [{"index": 0}]}, "`samples[0].image` is missing"),
        ({"samples": [SAMPLE, {**SAMPLE, "sampling": 3}]}, "`samples[1].sampling` (=3) must be an"),
        (
            {"samples": [{**SAMPLE, "sampling": {**POSITIONS, "out_width": 0}}]},
            "`samples[0].sampling.out_width` (=0) must be at least 1",
        ),
        ({"samples": {}}, "`samples` (={...}) must be a list"),
        ({"data": {"name": "scenes"}}, "`data.height` is missing"),
        ({"data": {**DATA, "classes": ["a", 3]}}, "`data.classes[1]` (=3) must be text"),
        ({"settings": {"model": 3}}, "`settings.model` (=3) must be text"),
        ({"settings": {"head": ["skip"]}}, "`settings.head` (=[...]) must be text"),
        ({"settings": {"rate_scale": "1"}}, "`settings.rate_scale` (='1') must be a finite number"),
        ({"settings": {"rate_scale": True}}, "`settings.rate_scale` (=True) must be a finite"),
        ({"settings": {"rate_scale": -0.1}}, "`settings.rate_scale` (=-0.1) must be above 0"),
        ({"settings": {"held_out": 1}}, "`settings.held_out` (=1) must be true or false"),
        ({"parameters": {"total": 1}}, "`parameters.upsamplers` is missing"),
        ({"machine": {"cpu": "x", "threads": "1"}}, "`machine.threads` (='1') must be a whole"),
        ({"parts": {"miou": [0.5, "x"]}}, "`parts.miou[1]` (='x') must be a finite number"),
        ({"parts": []}, "`parts` (=[...]) must be an object"),
        (
            {"curve": {"step": [1, 2], "loss": [0.5]}},
            "`curve.step` (=2 numbers) must be as long as `loss` (=1)",
        ),
        ({"curve": {"step": [1]}}, "`curve.loss` is missing"),
        ({"curve": {"step": [1], "loss": [None]}}, "`curve.loss[0]` (=None) must be a finite"),
    ],
)
def test_a_line_of_another_form_is_named(write, change, message):
    path = write([entry(), entry() | change])
    with refused(r"results.jsonl` line 2: ") as caught:
        read_records(path)
    assert message in str(caught.value)
    assert len(str(caught.value)) < len(str(path)) + 200


@pytest.mark.parametrize("key", sorted({*made_run("depth", "bilinear", 0)} - {"version"}))
def test_every_key_must_be_there(write, key):
    line = entry()
    del line[key]
    with refused(f"line 1: `{key}` is missing"):
        read_records(write([line]))


def test_keys_that_nobody_asked_for_do_no_harm(write):
    line = entry(remark="mine")
    line["metrics"]["kappa"] = 0.5
    (record,) = read_records(write([line]))
    assert record.value("kappa") == 0.5
    assert list(record.measures) == ["miou", "boundary_iou"]


def test_a_line_that_is_no_object_is_named(write):
    path = write([entry()])
    path.write_text(path.read_text() + "[1]\n")
    with refused(r"line 2: `record` \(=1\) must be an object"):
        read_records(path)


def test_of_lines_with_one_run_id_the_last_counts(write):
    again = entry(seconds={"train": 7.5, "evaluate": 1})
    records = read_records(write([entry(), entry(seed=1), again]))
    assert [record.seed for record in records] == [0, 1]
    assert records[0].seconds.train == 7.5


def test_an_absent_class_and_blank_lines_do_no_harm(write):
    line = entry()
    line["metrics"]["class_iou"]["ball"] = None
    line["parts"]["miou"][1] = None
    path = write([line])
    path.write_text("\n" + path.read_text() + "\n")
    (record,) = read_records(path)
    assert record.by_class["class_iou"]["ball"] is None
    assert record.parts["miou"][1] is None
    assert record.source.endswith("line 2")


def test_a_missing_file_is_named(tmp_path):
    with refused(r"nowhere.jsonl`: no such result file"):
        read_records(tmp_path / "nowhere.jsonl")


def test_what_a_run_writes_is_read_by_the_same_types():
    """Every field of the class is in a line, and nothing else."""
    line = made_run("semantic", "bilinear", 0)
    names = [name for name in Record.__dataclass_fields__ if name != "source"]
    assert list(line) == ["version", *names]
