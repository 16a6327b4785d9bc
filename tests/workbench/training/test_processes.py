"""Trainings in two processes, started as a user starts them."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "without_batch_norm.py"
TINY = [
    "--size=48", "--width=8", "--train-frames=9",
    "--val-frames=40", "--steps=12", "--batch-size=4",
    "--learning-rate=1e-3", "--accelerator=cpu", "--validate-every=8",
]  # fmt: skip


def train(task: str, output: Path, *options: str, **environment: str) -> subprocess.Popen[str]:
    # Threads would fight for the cores, and warnings are errors.
    command = [sys.executable, "-W", "error", str(SCRIPT), "train", f"{task}_scenes", *TINY]
    return subprocess.Popen(
        [*command, *options, "--output", str(output)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
    )


def finished(process: subprocess.Popen[str]) -> str:
    out, errors = process.communicate()
    assert process.returncode == 0, errors
    assert errors == ""
    return out


def losses(output: Path) -> dict[int, float]:
    path = output / "log" / "version_0" / "metrics.csv"
    with path.open(newline="") as file:
        return {int(row["step"]): float(row["loss"]) for row in csv.DictReader(file) if row["loss"]}


def record(output: Path) -> dict:
    (line,) = (output / "results.jsonl").read_text().splitlines()
    return json.loads(line)


def evaluated(checkpoint: Path, file: Path) -> dict:
    """The metrics of one process."""
    command = [sys.executable, str(SCRIPT), "evaluate", str(checkpoint), "--json", str(file)]
    subprocess.run(command, check=True, capture_output=True)
    return json.loads(file.read_text())["metrics"]


SLOW = [pytest.param(task, marks=pytest.mark.slow) for task in ("depth", "panoptic", "instance")]


@pytest.mark.parametrize("task", ["semantic", *SLOW])
def test_two_processes_learn_and_measure_as_one(task: str, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    finished(train(task, one))
    out = finished(train(task, two, "--devices=2"))
    assert out.count("step 12: ") == 1  # one process prints
    found, expected = losses(two), losses(one)
    assert list(found) == list(expected) == list(range(12))
    if task in ("semantic", "depth"):  # detectors draw boxes at random, by image in the batch
        assert found[0] == pytest.approx(expected[0], rel=1e-6)  # the same weights and images
        # Then sums in another order, carried on by AdamW.
        assert found == pytest.approx(expected, rel=1e-3)
    assert record(two)["run"] == record(one)["run"]
    # Of the same weights, every number to the last bit.
    assert evaluated(two / "last.ckpt", tmp_path / "found.json") == record(two)["metrics"]
