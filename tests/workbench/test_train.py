"""`dysample train` through its real command line, on tiny data."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml

from dysample.workbench.config import parse_config
from dysample.workbench.run import run_task
from support.made_results import made_run, write_runs

# As many as here: sums of more threads are rounded in another order.
ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1"}

TINY = [
    "--settings.size=32",
    "--settings.width=8",
    "--settings.train_frames=9",
    "--settings.val_frames=4",
    "--training.accelerator=cpu",
]
EXACT = [
    *TINY,
    "--settings.steps=7",
    "--settings.batch_size=4",
    "--training.accumulate=2",
    "--training.validate_every=3",
    "--training.checkpoint_every=1",
]


@pytest.mark.parametrize("augment", [False, True])
def test_compare_makes_the_same_run_of_photographs(
    augment: bool, camvid: Path, tmp_path: Path, dysample: Callable
) -> None:
    same = {"size": 32, "width": 8, "steps": 2, "batch_size": 2, "train_frames": 5, "val_frames": 4}
    word = "--augment" if augment else "--no-augment"
    compared = dysample(
        "compare", "--data", f"camvid:{camvid}", "--upsamplers=dysample", "--seeds=1", word,
        *(f"--{name.replace('_', '-')}={value}" for name, value in same.items()),
        "--output", tmp_path / "compared",
    )  # fmt: skip
    assert compared.code == 0, compared.stderr
    trained = dysample(
        "train", "--task=semantic", "--data", f"camvid:{camvid}", "--upsampler=dysample",
        "--training.accelerator=cpu", "--training.loader_workers=1",
        *(f"--settings.{name}={value}" for name, value in {**same, "augment": augment}.items()),
        "--output", tmp_path / "trained",
    )  # fmt: skip
    assert trained.code == 0, trained.stderr
    one, other = record(tmp_path / "compared"), record(tmp_path / "trained")
    assert one["settings"].get("augment", False) is augment
    assert all(one[key] == other[key] for key in ("run", "data", "settings", "metrics", "samples"))


class KilledError(Exception):
    """Stands for the end of the process."""


def record(output: Path) -> dict:
    (line,) = (output / "results.jsonl").read_text().splitlines()
    return json.loads(line)


def logged(output: Path, column: str) -> dict[int, float]:
    """A column of the logs of all attempts, by step."""
    found = {}
    for path in sorted(output.glob("log/version_*/metrics.csv")):
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        found.update({int(row["step"]): float(row[column]) for row in rows if row.get(column)})
    return found


def weights(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path, weights_only=True)["state_dict"]


def test_trains_logs_records_and_prints(tmp_path: Path, dysample: Callable) -> None:
    output = tmp_path / "out"
    command = [
        "train", "semantic_scenes", *TINY, "--settings.steps=5", "--settings.batch_size=4",
        "--training.validate_every=2", "--output", output,
    ]  # fmt: skip
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-m", "dysample", *map(str, command)],
        capture_output=True,
        text=True,
        check=False,
        env=ONE_THREAD,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    for line in ("step 2: mIoU 0.", "step 4: mIoU 0.", "step 5: mIoU 0.", "boundary IoU", "fence"):
        assert line in ended.stdout
    found = record(output)
    assert (found["task"], found["upsampler"]) == ("semantic", "dysample")
    assert {path.name for path in output.iterdir()} >= {
        "last.ckpt", "best.ckpt", "config.yaml", "log", "tensorboard",
    }  # fmt: skip
    assert len(list((output / "tensorboard").glob("events*"))) > 0
    saved = yaml.safe_load((output / "config.yaml").read_text())
    assert (saved["settings"]["steps"], saved["training"]["validate_every"]) == (5, 2)
    # The same run as that of a comparison.
    config, _ = parse_config([*map(str, command[1:])])
    compared = run_task("semantic", "dysample", 0, "scenes", config.settings, tmp_path / "compared")
    line = json.loads(json.dumps(compared.to_line()))
    assert {k: line[k] for k in ("run", "metrics", "samples")} == {
        k: found[k] for k in ("run", "metrics", "samples")
    }
    reported = dysample("report", output / "results.jsonl")
    assert reported.code == 0
    assert "dysample" in reported.stdout
    # The folder is taken, and gone on with nothing is trained or recorded again.
    refused = dysample(*command)
    assert refused.code == 2
    assert "holds a run already (last.ckpt): --resume continues it" in refused.stderr
    assert refused.stderr.count("\n") == 1
    before = (output / "last.ckpt").stat().st_mtime_ns
    assert dysample("train", "--resume", "--output", output).code == 0
    assert (output / "last.ckpt").stat().st_mtime_ns == before
    assert record(output) == found


@pytest.mark.parametrize(
    ("task", "hook", "calls"),
    [
        ("semantic", "on_train_batch_end", 3),  # between the two parts of a batch
        ("semantic", "on_train_batch_end", 4),  # before a step is saved
        ("semantic", "on_validation_start", 1),  # after a step, before its evaluation
        ("semantic", "on_validation_end", 2),  # before an evaluated step is saved
        ("semantic", "on_validation_end", 3),  # after the last step
        ("instance", "on_validation_start", 2),
    ],
)
def test_resumes_exactly_with_accumulation_and_evaluations(
    task: str,
    hook: str,
    calls: int,
    tmp_path: Path,
    dysample: Callable,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    command = ["train", f"{task}_scenes", *EXACT]
    assert dysample(*command, "--output", whole).code == 0
    left = calls

    def die(*_: object) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(f"dysample.workbench.progress.Bars.{hook}", die)
        with pytest.raises(KilledError):
            dysample(*command, "--output", killed)
    assert dysample(*command, "--output", killed, "--resume").code == 0
    for name in ("last.ckpt", "best.ckpt"):
        expected, found = weights(whole / name), weights(killed / name)
        assert all(torch.equal(expected[key], found[key]) for key in expected), name
    assert record(killed)["metrics"] == record(whole)["metrics"]
    # No evaluation was passed over. (Lightning numbers the last one anew if nothing else is left.)
    measure = next(iter(record(whole)["measures"]))
    assert {*logged(killed, measure).values()} == {*logged(whole, measure).values()}
    # Nothing of the recipe may change on the way.
    changed = dysample(*command, "--output", killed, "--resume", "--settings.steps=8")
    assert changed.code == 2
    assert "`settings.steps` is 7 there and 8 here" in changed.stderr


def test_killed_outright_at_any_moment(tmp_path: Path, dysample: Callable) -> None:
    """A process is killed while it trains, saves and evaluates, several times."""
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    command = [
        "train", "semantic_scenes", *TINY, "--settings.steps=24", "--settings.batch_size=2",
        "--training.validate_every=4", "--training.checkpoint_every=1",
    ]  # fmt: skip
    assert dysample(*command, "--output", whole).code == 0
    for saves in (1, 4):
        process = subprocess.Popen(
            [sys.executable, "-m", "dysample", *command, "--resume", "--output", str(killed)],
            stdout=subprocess.DEVNULL,
            env=ONE_THREAD,
        )
        for _ in range(saves):
            before = _written(killed)
            while _written(killed) == before and process.poll() is None:
                time.sleep(0.005)
        assert process.poll() is None, "it ended before it could be killed"
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert weights(killed / "last.ckpt")
        assert not (killed / "results.jsonl").exists()
    (killed / ".last.ckpt.x.part").write_bytes(b"half")
    assert dysample("train", "--resume", "--output", killed).code == 0
    assert not list(killed.glob(".*.part"))
    assert record(killed)["metrics"] == record(whole)["metrics"]
    expected, found = weights(whole / "best.ckpt"), weights(killed / "best.ckpt")
    assert all(torch.equal(expected[key], found[key]) for key in expected)


def _written(output: Path) -> int | None:
    path = output / "last.ckpt"
    return path.stat().st_mtime_ns if path.exists() else None


def test_a_refused_resume_changes_nothing(tmp_path: Path, dysample: Callable) -> None:
    output = tmp_path / "out"
    command = [*TINY, "--settings.steps=2", "--settings.batch_size=2", "--output", output]
    assert dysample("train", "semantic_scenes", *command).code == 0
    before = {path: path.read_bytes() for path in output.rglob("*") if path.is_file()}
    for arguments, differences in (
        (
            ["semantic_scenes", *command, "--upsampler=carafe", "--settings.steps=9", "--seed=1"],
            (
                "`upsampler` is 'dysample' there and 'carafe' here",
                "`settings.steps` is 2 there and 9 here",
                "`seed` is 0 there and 1 here",
            ),
        ),
        (
            ["depth_scenes", *command, "--training.precision=bf16-mixed"],
            (
                "`task` is 'semantic' there and 'depth' here",
                "`training.precision` is the default there and 'bf16-mixed' here",
            ),
        ),
        (
            ["semantic_scenes", *command, "--settings.train_frames=8"],
            ("`data.train` is 9 there and 8 here",),
        ),
        (["--output", output, "--upsampler_options.groups=2"], ("`upsampler_options.groups` is",)),
        (["semantic_scenes", *command, "--settings.width=10000"], ("`width` (=10000) must be at",)),
    ):
        refused = dysample("train", *arguments, "--resume")
        assert refused.code == 2
        assert refused.stderr.count("\n") == 1
        for text in differences:
            assert text in refused.stderr
    # Without its checkpoint too, as one that was killed at its start.
    (output / "last.ckpt").rename(tmp_path / "last.ckpt")
    refused = dysample("train", "semantic_scenes", *command, "--resume", "--settings.steps=9")
    assert "config.yaml must be of the same run" in refused.stderr
    assert "`settings.steps` is 2 there and 9 here" in refused.stderr
    (tmp_path / "last.ckpt").rename(output / "last.ckpt")
    assert {path: path.read_bytes() for path in output.rglob("*") if path.is_file()} == before
    assert dysample("evaluate", output).code == 0
    assert dysample("train", "--resume", "--output", output).code == 0
    # A folder of a comparison is none to go on in.
    other = tmp_path / "other"
    other.mkdir()
    write_runs(other / "results.jsonl", [made_run("semantic", "nearest", 0)])
    refused = dysample("train", "semantic_scenes", *command[:-1], other, "--resume")
    assert "must hold this run, but its results.jsonl holds others" in refused.stderr
    assert [path.name for path in other.iterdir()] == ["results.jsonl"]


def test_a_start_that_diverges_leaves_nothing(tmp_path: Path, dysample: Callable) -> None:
    command = [
        "train", "semantic_scenes", *TINY, "--settings.steps=3", "--settings.batch_size=2",
        "--settings.learning_rate=1e30", "--training.precision=bf16-mixed",
    ]  # fmt: skip
    ended = dysample(*command, "--output", tmp_path / "a" / "b")
    assert ended.code == 2
    for cause in (
        "`learning_rate` (=1e+30)",
        "`precision` (=bf16-mixed)",
        "`weight_decay` (=0.01)",
    ):
        assert cause in ended.stderr
    assert not list(tmp_path.iterdir())
    # With a checkpoint there is something to keep.
    ended = dysample(*command, "--training.checkpoint_every=1", "--output", tmp_path / "c")
    assert ended.code == 2
    assert {path.name for path in (tmp_path / "c").iterdir()} >= {"last.ckpt", "config.yaml"}


@pytest.mark.parametrize(
    ("name", "code", "group"), [("SIGTERM", 143, False), ("SIGINT", 130, True)]
)
def test_stopped_it_says_how_to_go_on(
    name: str, code: int, group: bool, tmp_path: Path, dysample: Callable
) -> None:
    """By a supervisor, and from a terminal, whose Ctrl-C reaches the workers too."""
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    command = [
        "train", "semantic_scenes", *TINY, "--settings.batch_size=2", "--settings.steps=40",
        "--training.checkpoint_every=1", "--training.loader_workers=2",
    ]  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "dysample", *command, "--output", str(stopped)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=ONE_THREAD,
        start_new_session=True,
    )
    while _written(stopped) is None and process.poll() is None:
        time.sleep(0.005)
    (os.killpg if group else os.kill)(process.pid, getattr(signal, name))
    _, errors = process.communicate(timeout=100)
    assert process.returncode == code, errors
    assert errors.strip() == "dysample: stopped; run the same command with --resume to resume"
    assert dysample("train", "--resume", "--output", stopped).code == 0
    assert dysample(*command, "--output", whole).code == 0
    assert record(stopped)["metrics"] == record(whole)["metrics"]


def test_bfloat16(tmp_path: Path, dysample: Callable) -> None:
    for task in ("semantic", "depth", "panoptic"):
        output = tmp_path / task
        ended = dysample(
            "train", f"{task}_scenes", *TINY, "--settings.steps=2", "--settings.batch_size=2",
            "--training.precision=bf16-mixed", "--output", output,
        )  # fmt: skip
        assert ended.code == 0, ended.stderr
        found = record(output)
        assert found["training"]["precision"] == "bf16-mixed"
        dtypes = {value.dtype for value in weights(output / "last.ckpt").values()}
        assert dtypes <= {torch.float32, torch.int64}


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        ("NAME (='semantics') must be one of", ["semantics"]),
        ("settings.stepps", ["semantic_scenes", "--settings.stepps=3"]),
        ("`batch_size` (=16) must be a multiple of 3", ["semantic_scenes", "--training.devices=3"]),
        ("must be a known upsampler", ["semantic_scenes", "--upsampler=bilinaer"]),
        ("/nowhere", ["--task=semantic", "--data=camvid:/nowhere"]),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(
    message: str, arguments: list[str], tmp_path: Path, dysample: Callable
) -> None:
    ended = dysample("train", *arguments, "--output", tmp_path / "out")
    assert ended.code == 2
    assert ended.stderr.startswith("dysample: error: ")
    assert message in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_help_and_the_whole_configuration(dysample: Callable) -> None:
    helped = dysample("train", "detection_scenes", "-h")
    assert helped.code == 0
    for word in ("--settings.steps", "--training.validate_every", "--resume", "semantic_scenes"):
        assert word in helped.stdout
    printed = dysample("train", "detection_scenes", "--settings.steps=9", "--print_config")
    assert printed.code == 0
    assert yaml.safe_load(printed.stdout)["settings"]["steps"] == 9
