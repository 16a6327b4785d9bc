"""The comparison through its real command line, on tiny data."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dysample.workbench.compare import choose_tasks, choose_upsamplers

TINY = [
    "--steps=6",
    "--batch-size=2",
    "--size=32",
    "--width=8",
    "--train-frames=8",
    "--val-frames=4",
    "--workers=1",
]


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYSAMPLE_CACHE", str(tmp_path / "cache"))


def records(output: Path) -> list[dict]:
    return [json.loads(line) for line in (output / "results.jsonl").read_text().splitlines()]


def test_compares_and_reports_and_does_nothing_twice(tmp_path: Path, dysample: Callable) -> None:
    output = tmp_path / "out"
    arguments = [
        "compare",
        *TINY,
        "--upsamplers=bilinear,dysample",
        "--seeds=1",
        "--output",
        output,
    ]
    # In a process of its own, in which every warning is an error.
    command = [sys.executable, "-W", "error", "-m", "dysample", *map(str, arguments)]
    first = subprocess.run(command, capture_output=True, text=True, check=False)
    assert first.returncode == 0, first.stderr
    assert first.stderr == ""
    got = records(output)
    assert sorted(r["upsampler"] for r in got) == ["bilinear", "dysample"]
    assert all(0 < r["metrics"]["miou"] < 1 for r in got)
    for name in ("differences.png", "predictions.png", "sampling.png"):
        assert (output / name).stat().st_size > 1000
    assert "dysample" in first.stdout
    assert "\x1b" not in first.stdout  # piped: no escape codes

    before = (output / "results.jsonl").read_bytes()
    again = dysample(*arguments)
    assert "2 of 2 runs are in" in again.stdout
    assert (output / "results.jsonl").read_bytes() == before

    report = dysample("report", output / "results.jsonl", "--output", tmp_path / "redrawn")
    assert report.code == 0
    assert (tmp_path / "redrawn" / "predictions.png").exists()


def test_a_killed_comparison_goes_on_where_it_stopped(tmp_path: Path, dysample: Callable) -> None:
    output = tmp_path / "out"
    arguments = ["compare", *TINY, "--upsamplers=nearest,bilinear", "--seeds=2", "--output", output]
    command = [sys.executable, "-m", "dysample", *map(str, arguments)]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 300  # on a busy machine imports take a minute
    while not (output / "results.jsonl").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    running.send_signal(signal.SIGKILL)
    running.communicate()
    kept = (output / "results.jsonl").read_bytes()
    whole = kept[: kept.rfind(b"\n") + 1]
    assert 1 <= whole.count(b"\n") < 4

    assert dysample(*arguments).code == 0
    assert (output / "results.jsonl").read_bytes().startswith(whole)
    got = [(r["upsampler"], r["seed"]) for r in records(output)]
    assert sorted(got) == sorted((u, s) for u in ("nearest", "bilinear") for s in (0, 1))


def test_a_failed_run_leaves_no_result_and_the_others_stand(
    tmp_path: Path, dysample: Callable
) -> None:
    output = tmp_path / "out"
    arguments = ["compare", *TINY, "--upsamplers=nearest", "--output", output]
    failed = dysample(*arguments, "--seeds=1", "--learning-rate=1e30")
    assert failed.code == 1
    assert (
        "dysample: failed: semantic nearest seed 0: ValueError: training diverged" in failed.stderr
    )
    assert not (output / "results.jsonl").exists()


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        (
            "in `upsamplers`: `name` (='bilinaer') must be a known upsampler",
            ["--upsamplers=bilinaer"],
        ),
        ("`upsamplers` (='x*') must fit a name of the registry", ["--upsamplers=x*"]),
        ("`tasks` (='tracking') must be 'all' or of semantic", ["--tasks=tracking"]),
        (
            "`head` is not a setting of detection, panoptic",
            ["--tasks=detection,panoptic", "--head=skip"],
        ),
        (
            "`data` (='pennfudan:/') must be of kitti, nyu or 'scenes' for the task depth;"
            " pennfudan has instance targets",
            ["--tasks=depth", "--data=pennfudan:/"],
        ),
        ("Invalid value for '--steps': 'many' is not a valid integer", ["--steps=many"]),
        ("Invalid value for '--seeds': 0 is not in the range x>=1", ["--seeds=0"]),
        ("`head` (='neck') must be 'plain' or 'skip'", ["--head=neck"]),
        ("`data` (='coco') must be 'scenes' or 'NAME:PATH'", ["--data=coco"]),
        ("while building carafe_five at `width` (=8)", ["--upsamplers=carafe_five", *TINY]),
        ("--stepz", ["--stepz=3"]),
        ("/nowhere", ["--data=camvid:/nowhere"]),
    ],
)
def test_mistakes_are_one_line_and_exit_code_2(
    message: str,
    arguments: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    dysample: Callable,
) -> None:
    from dysample import CARAFE, registry

    entry = registry.Entry("carafe_five", CARAFE, {"up_group": 5})
    monkeypatch.setitem(registry._ENTRIES, "carafe_five", entry)
    output = tmp_path / "out"
    ended = dysample("compare", "--output", output, *arguments)
    assert ended.code == 2
    assert ended.stderr.startswith("dysample: error: ")
    assert message in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert not output.exists()


def test_a_damaged_file_is_named_before_any_run(
    tmp_path: Path, camvid: Path, dysample: Callable
) -> None:
    damaged = camvid / "valannot" / "f3.png"
    damaged.write_bytes(b"no picture")
    ended = dysample(
        "compare", "--data", f"camvid:{camvid}", "--upsamplers=nearest", "--output", tmp_path / "o"
    )
    assert ended.code == 2
    assert "error: 1 of 4 samples of camvid val cannot be used; the first: " in ended.stderr
    assert f"{damaged} cannot be read" in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert not (tmp_path / "o" / "runs").exists()


def test_all_tasks_and_their_tables(tmp_path: Path, dysample: Callable) -> None:
    output = tmp_path / "out"
    tiny = [argument for argument in TINY if not argument.startswith(("--steps", "--size"))]
    done = dysample(
        "compare", *tiny, "--steps=2", "--size=48", "--head=skip", "--tasks=all",
        "--upsamplers=bilinear", "--seeds=1", "--output", output,
    )  # fmt: skip
    assert done.code == 0, done.stderr
    assert done.stderr == ""
    got = {record["task"]: record for record in records(output)}
    assert list(got) == ["semantic", "detection", "instance", "panoptic", "depth"]
    # An option goes to the tasks that have it.
    assert {t for t, r in got.items() if r["settings"].get("head") == "skip"} == {
        "semantic",
        "depth",
    }
    for title in ("semantic, scenes 48x48, skip head", "instance, scenes 48x48", "AbsRel", "PQ"):
        assert title in done.stdout
    assert (output / "predictions-panoptic.png").stat().st_size > 1000


def test_choose_tasks() -> None:
    assert choose_tasks("depth, semantic,depth") == ["depth", "semantic"]
    assert choose_tasks("all") == ["semantic", "detection", "instance", "panoptic", "depth"]


def test_choose_upsamplers() -> None:
    assert choose_upsamplers("bilinear, nearest,bilinear") == ["bilinear", "nearest"]
    assert choose_upsamplers("dysample_s*") == ["dysample_s", "dysample_s_plus"] + [
        f"dysample_step_{step}" for step in range(5)
    ]
    every = choose_upsamplers("all")
    assert "carafe" in every
    assert not any(name.startswith("dysample_step") for name in every)
