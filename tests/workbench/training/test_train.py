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

from dysample.workbench.training.config import configure, load_config
from dysample.workbench.training.run import run_task
from support.made_results import made_run, write_runs
from support.specs import spec_of

# As many as here: sums of more threads are rounded in another order.
ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1"}

TINY = [
    "--size=32",
    "--width=8",
    "--train-frames=9",
    "--val-frames=4",
    "--accelerator=cpu",
]
EXACT = [
    *TINY,
    "--steps=7",
    "--batch-size=4",
    "--accumulate=2",
    "--validate-every=3",
    "--checkpoint-every=1",
]


@pytest.mark.parametrize("augment", [False, True])
def test_compare_makes_the_same_run_of_photographs(
    augment: bool, camvid: Path, tmp_path: Path, dysample: Callable
) -> None:
    same = [
        "--data", f"camvid:{camvid}", "--augment" if augment else "--no-augment", "--size=32",
        "--width=8", "--steps=2", "--batch-size=2", "--train-frames=5", "--val-frames=4",
    ]  # fmt: skip
    compared = dysample(
        "compare", "--upsamplers=dysample", "--seeds=1", *same, "--output", tmp_path / "compared"
    )
    assert compared.code == 0, compared.stderr
    trained = dysample(
        "train", "--task=semantic", "--upsampler=dysample", "--accelerator=cpu",
        "--loader-workers=1", *same, "--output", tmp_path / "trained",
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
        "train", "semantic_scenes", *TINY, "--steps=5", "--batch-size=4",
        "--validate-every=2", "--output", output,
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
    assert (saved["steps"], saved["validate_every"]) == (5, 2)
    # The same run as that of a comparison.
    spec, _ = load_config(output / "config.yaml")
    compared = run_task(spec_of(spec.settings), tmp_path / "compared")
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
        patch.setattr(f"dysample.workbench.training.progress.ProgressBars.{hook}", die)
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
    changed = dysample(*command, "--output", killed, "--resume", "--steps=8")
    assert changed.code == 2
    assert "`steps` is 7 there and 8 here" in changed.stderr


def test_killed_outright_at_any_moment(tmp_path: Path, dysample: Callable) -> None:
    """A process is killed while it trains, saves and evaluates, several times."""
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    command = [
        "train", "semantic_scenes", *TINY, "--steps=24", "--batch-size=2",
        "--validate-every=4", "--checkpoint-every=1",
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
    command = [*TINY, "--steps=2", "--batch-size=2", "--output", output]
    assert dysample("train", "semantic_scenes", *command).code == 0
    before = {path: path.read_bytes() for path in output.rglob("*") if path.is_file()}
    for arguments, differences in (
        (
            ["semantic_scenes", *command, "--upsampler=carafe", "--steps=9", "--seed=1"],
            (
                "`upsampler` is 'dysample' there and 'carafe' here",
                "`steps` is 2 there and 9 here",
                "`seed` is 0 there and 1 here",
            ),
        ),
        (
            ["depth_scenes", *command, "--precision=bf16-mixed"],
            (
                "`task` is 'semantic' there and 'depth' here",
                "`precision` is '32-true' there and 'bf16-mixed' here",
            ),
        ),
        (
            ["semantic_scenes", *command, "--train-frames=8"],
            ("`data.train` is 9 there and 8 here",),
        ),
        (
            ["--output", output, "--upsampler=dysample(groups=2)"],
            ("`upsampler` is 'dysample' there and 'dysample(groups=2)' here",),
        ),
        (["semantic_scenes", *command, "--width=10000"], ("`width` (=10000) must be at",)),
    ):
        refused = dysample("train", *arguments, "--resume")
        assert refused.code == 2
        assert refused.stderr.count("\n") == 1
        for text in differences:
            assert text in refused.stderr
    # Without its checkpoint too, as one that was killed at its start.
    (output / "last.ckpt").rename(tmp_path / "last.ckpt")
    refused = dysample("train", "semantic_scenes", *command, "--resume", "--steps=9")
    assert "config.yaml must be of the same run" in refused.stderr
    assert "`steps` is 2 there and 9 here" in refused.stderr
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
        "train", "semantic_scenes", *TINY, "--steps=3", "--batch-size=2",
        "--learning-rate=1e30", "--precision=bf16-mixed",
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
    ended = dysample(*command, "--checkpoint-every=1", "--output", tmp_path / "c")
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
        "train", "semantic_scenes", *TINY, "--batch-size=2", "--steps=40",
        "--checkpoint-every=1", "--loader-workers=2",
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
            "train", f"{task}_scenes", *TINY, "--steps=2", "--batch-size=2",
            "--precision=bf16-mixed", "--output", output,
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
        ("No such option '--stepps'. Did you mean '--steps'?", ["semantic_scenes", "--stepps=3"]),
        ("'many' is not a valid integer", ["semantic_scenes", "--steps=many"]),
        ("Did you mean '--steps'?", ["semantic_scenes", "--settings.steps=3"]),
        ("`batch_size` (=16) must be a multiple of 3", ["semantic_scenes", "--devices=3"]),
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
    assert "'--config' requires an argument" in dysample("train", "--config").stderr
    helped = dysample("train", "detection_scenes", "-h")
    assert helped.code == 0
    for word in ("--resume", "semantic_scenes"):
        assert word in helped.stdout
    of_files = {"rate_scale", "held_out"}  # what `dysample compare --tune` sets
    for name in configure("semantic_scenes", [], {})[0].to_dict().keys() - of_files:
        assert f"--{name.replace('_', '-')} " in helped.stdout
    # Hyphens and underscores are one.
    for print_config, batch_size in (
        ("--print-config", "--batch-size"),
        ("--print_config", "--batch_size"),
    ):
        null = ["--validate-every", "null"]
        printed = dysample("train", "detection_scenes", f"{batch_size}=9", *null, print_config)
        assert printed.code == 0
        found = yaml.safe_load(printed.stdout)
        assert (found["batch_size"], found["validate_every"]) == (9, None)
        assert found == configure(
            "detection_scenes", [], {"batch_size": 9, "validate_every": None}
        )[0].to_dict() | {"output": "runs/detection_scenes"}
