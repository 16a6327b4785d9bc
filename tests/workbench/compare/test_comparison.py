"""The comparison through its real command line, on tiny data."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from support.layouts import LAYOUTS

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


def started(command: list[str], there: Callable[[], bool]) -> subprocess.Popen[str]:
    """A process of its own session, once it has made what is waited for."""
    running = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 300  # on a busy machine imports take a minute
    while not there():
        if running.poll() is not None or time.monotonic() > deadline:
            running.kill()
            _, errors = running.communicate()
            pytest.fail(f"not there, exit code {running.returncode}: {errors}")
        time.sleep(0.02)
    return running


def test_compares_and_reports_and_does_nothing_twice(tmp_path: Path, dysample: Callable) -> None:
    output = tmp_path / "out"
    arguments = [
        "compare",
        *TINY,
        "--upsamplers=bilinear,dysample(groups=2)",
        "--seeds=2",
        "--output",
        output,
    ]
    # In a process of its own, in which every warning is an error.
    command = [sys.executable, "-W", "error", "-m", "dysample", *map(str, arguments)]
    first = subprocess.run(command, capture_output=True, text=True, check=False)
    assert first.returncode == 0, first.stderr
    assert first.stderr == ""
    got = records(output)
    assert sorted((r["upsampler"], len(r["samples"])) for r in got) == [
        ("bilinear", 0), ("bilinear", 3), ("dysample", 0), ("dysample", 3)
    ]  # fmt: skip
    assert [r["upsampler_options"] for r in got if r["upsampler"] == "dysample"] == [
        {"groups": 2}
    ] * 2
    assert all(0 < r["metrics"]["miou"] < 1 for r in got)
    for name in ("predictions.png", "sampling.png", "report.html"):
        assert (output / name).stat().st_size > 1000
    assert first.stdout.endswith(f"wrote {output / 'report.html'}\n")
    assert "dysample(groups=2)" in first.stdout
    assert "\x1b" not in first.stdout  # piped: no escape codes

    before = (output / "results.jsonl").read_bytes()
    again = dysample(*arguments)
    assert "4 of 4 runs are in" in again.stdout
    assert (output / "results.jsonl").read_bytes() == before

    # The command on the page makes these runs, and a third seed.
    page = (output / "report.md").read_text().replace(" \\\n  ", " ")
    (line,) = re.findall("^dysample compare .*", page, re.MULTILINE)
    assert " --seeds 3 --output DIR " in line
    line = line.replace(" --seeds 3 --output DIR ", " --seeds 2 ")
    again = dysample(*shlex.split(line)[1:], "--output", output)
    assert "4 of 4 runs are in" in again.stdout
    assert (output / "results.jsonl").read_bytes() == before

    report = dysample("report", output / "results.jsonl", "--output", tmp_path / "redrawn")
    assert report.code == 0
    assert (tmp_path / "redrawn" / "predictions.png").exists()


def test_a_killed_comparison_goes_on_where_it_stopped(tmp_path: Path, dysample: Callable) -> None:
    output = tmp_path / "out"
    arguments = ["compare", *TINY, "--upsamplers=nearest,bilinear", "--seeds=2", "--output", output]
    command = [sys.executable, "-m", "dysample", *map(str, arguments)]
    results = output / "results.jsonl"
    running = started(command, lambda: results.exists() and b"\n" in results.read_bytes())
    running.send_signal(signal.SIGKILL)
    running.communicate()
    kept = (output / "results.jsonl").read_bytes()
    whole = kept[: kept.rfind(b"\n") + 1]
    assert 1 <= whole.count(b"\n") < 4

    (output / ".files.x.part").mkdir()  # of a page whose writer was killed
    (output / ".files.x.part" / "report.md").write_text("half")
    assert dysample(*arguments).code == 0
    assert not list(output.glob(".*.part"))
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
        "dysample: failed: semantic nearest seed 0: DivergedError: training diverged"
        in failed.stderr
    )
    assert not output.exists()


def test_tunes_each_upsampler_and_does_nothing_twice(tmp_path: Path, dysample: Callable) -> None:
    output = tmp_path / "out"
    options = ["--upsamplers=bilinear,dysample", "--seeds=2", "--learning-rate=0.1", "--tune"]
    arguments = ["compare", *TINY, *options, "--output", output]
    ended = dysample(*arguments)
    assert ended.code == 0, ended.stderr
    got = records(output)
    trials = [r for r in got if r["settings"].get("held_out")]
    assert [(r["data"]["train"], r["data"]["val"], r["seed"]) for r in trials] == [(6, 2, 0)] * 8
    finals = [r for r in got if r not in trials]
    assert got == trials + finals
    assert not any(r["samples"] for r in trials)
    assert [len(r["samples"]) for r in finals if r["seed"] == 0] == [3, 3]
    for name in ("bilinear", "dysample"):
        of_name = {
            r["settings"]["rate_scale"]: r["metrics"]["miou"]
            for r in trials
            if r["upsampler"] == name
        }
        assert list(of_name) == [1, 0.3, 0.1, 0.03]
        best = max(of_name, key=lambda scale: of_name[scale])
        chosen = [r for r in finals if r["upsampler"] == name]
        assert [(r["seed"], r["settings"]["rate_scale"]) for r in chosen] == [(0, best), (1, best)]
        assert f"semantic {name}: rate x {best:g} (mIoU " in ended.stdout
    again = dysample(*arguments)
    assert again.code == 0
    assert "8 of 8 runs are in" in again.stdout
    assert "4 of 4 runs are in" in again.stdout
    assert records(output) == got


def test_a_rate_at_which_training_diverges_is_not_chosen(
    tmp_path: Path, dysample: Callable
) -> None:
    output = tmp_path / "out"
    arguments = ["compare", *TINY, "--upsamplers=nearest", "--seeds=1", "--output", output]
    ended = dysample(*arguments, "--tune", "--learning-rate=1e30")
    assert ended.code == 1
    assert ended.stderr.count("rate x 1, held-out images: DivergedError: training diverged") == 1
    assert (
        "dysample: failed: semantic nearest: not trained, as its trials did not all end"
        in ended.stderr
    )
    assert not output.exists()


def test_stopped_it_says_how_to_go_on(tmp_path: Path) -> None:
    """As from a terminal, whose Ctrl-C reaches the workers too, while they start or train."""
    output = tmp_path / "out"
    arguments = ["compare", *TINY, "--steps=5000", "--upsamplers=nearest", "--output", output]
    command = [sys.executable, "-m", "dysample", *map(str, arguments)]
    running = started(command, lambda: bool(list(output.glob("runs/*/last.ckpt"))))
    os.killpg(running.pid, signal.SIGINT)
    _, errors = running.communicate(timeout=100)
    assert (running.returncode, errors.strip()) == (
        130,
        "dysample: stopped; run the same command again to resume",
    )


def test_objects_on_disk_through_to_the_report(tmp_path: Path, dysample: Callable) -> None:
    """Boxes from masks; image i has i % 3 pedestrians, so 3 of 8 training images have none."""
    output = tmp_path / "out"
    data = f"pennfudan:{LAYOUTS['pennfudan'](tmp_path / 'data')}"
    options = ["--steps=2", "--batch-size=2", "--size=32", "--width=8", "--workers=1"]
    few = ["--upsamplers=bilinear", "--seeds=1", "--encoder=efficientnet_lite0"]
    ended = dysample(
        "compare", "--tasks=detection", f"--data={data}", *options, *few, "--output", output
    )
    assert ended.code == 0, ended.stderr
    (record,) = records(output)
    assert record["data"]["train"] == 8
    assert record["settings"]["encoder"] == "efficientnet_lite0"
    assert "detection, pennfudan 32x43, efficientnet_lite0" in ended.stdout
    assert "8 train frames, 2 val frames, steps 2, batch_size 2" in ended.stdout


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
            "`data` (='pennfudan:/') must be of folders_depth, kitti, nyu or 'scenes' for the"
            " task depth; pennfudan has instance targets",
            ["--tasks=depth", "--data=pennfudan:/"],
        ),
        ("Invalid value for '--steps': 'many' is not a valid integer", ["--steps=many"]),
        ("`seeds` (=10001) must be at most 10000", ["--seeds=10001"]),
        ("`train_frames` (=1000001) must be at most 1000000", ["--train-frames=1000001"]),
        ("`steps` (=9223372036854775808) must be at most 2147483647", [f"--steps={2**63}"]),
        ("Invalid value for '--seeds': 0 is not in the range x>=1", ["--seeds=0"]),
        ("`head` (='neck') must be 'plain' or 'skip'", ["--head=neck"]),
        ("`data` (='coco') must be 'scenes' or 'NAME:PATH'", ["--data=coco"]),
        ("while building carafe_five at `width` (=8)", ["--upsamplers=carafe_five", *TINY]),
        ("`model` (='r50') must be one of small, segformer_b0", ["--model=r50"]),
        (
            "`width` (=8) must be left out: it is of the small models, and `model` is 'r101'",
            ["--tasks=instance", "--model=r101", "--width=8"],
        ),
        ("`encoder` (='resnet') must be one of conv, efficientnet_lite0", ["--encoder=resnet"]),
        ("weights file /nowhere/w.pth does not exist", ["--weights=/nowhere/w.pth"]),
        ("--stepz", ["--stepz=3"]),
        ("`engine` (='dask') must be one of local, ray", ["--engine=dask"]),
        ("`address` (='auto') is for `engine` 'ray' alone", ["--address=auto"]),
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
    assert not (tmp_path / "o").exists()


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
