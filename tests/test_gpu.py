"""`make gpu`: a dry run of its checks and rows in the interpreter, its file, what it prints."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from gpu import __main__ as gpu
from gpu import checks, times
from support.documented import ROOT
from support.triton_kernels import needs_triton

pytestmark = needs_triton


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU to measure")
def test_without_a_gpu_it_says_why_nothing_is_measured(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gpu", str(tmp_path / "rows.jsonl")],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "tests"), *sys.path])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "nothing is measured: torch sees no GPU\n"
    assert not (tmp_path / "rows.jsonl").exists()


@pytest.mark.parametrize(
    "name",
    [
        "values point float16 NHWC",
        "values affinity float32 NCHW",
        "order reassemble",
        "golden dysample_lp_g1_s2",
        "autocast DySample",
    ],
)
def test_checks_pass_in_the_interpreter(name: str) -> None:
    row = dict(checks.rows())[name]()
    assert "failed" not in row, row


def test_a_wrong_kernel_is_a_failed_check(monkeypatch: pytest.MonkeyPatch) -> None:
    from dysample.backends.gpu import point_sample

    right = point_sample.point_sample
    monkeypatch.setattr(point_sample, "point_sample", lambda *a: right(*a) + 1e-2)
    row = dict(checks.rows())["values point float32 NCHW"]()
    assert row["failed"] == "the error is too large"


@pytest.mark.parametrize(
    "name",
    [
        "W1 dysample",
        "W4 published",
        "W1-float16-NHWC nearest",
        "fade fade",
        "sapa-backward sapa",
        "training step, pyramid, carafe, eager",
        "training step, segformer_b1, dysample, auto",
    ],
)
def test_rows_run_at_tiny_sizes(name: str) -> None:
    assert dict(times.rows(tiny=True))[name]()["ms"] is None


def test_every_row_has_a_name_of_its_own() -> None:
    names = [name for name, _ in gpu.all_rows(tiny=True)]
    assert len(names) == len(set(names)) > 150


def test_a_run_goes_on_where_it_stopped(tmp_path: Path, capsys) -> None:
    ran, path = [], tmp_path / "runs" / "gpu.jsonl"

    def row(name: str, **found: object):
        def measure() -> dict[str, object]:
            ran.append(name)
            if name == "bad" and ran.count("bad") == 1:
                raise RuntimeError("out of\nmemory")
            return found

        return name, measure

    def rows():
        return iter(
            [
                row("first", error=1e-7, allowed=1e-5),
                row("bad"),
                row("copy", ms=1.5, graph_ms=None, peak_bytes=2**20),
            ]
        )

    on = {"gpu": "one"}
    assert gpu.run(path, on, rows(), budget=-1.0) == []
    assert capsys.readouterr().out == "out of time before first: start again to go on\n"
    first = gpu.run(path, on, rows(), budget=60)
    assert [r.get("failed") for r in first] == [None, "RuntimeError: out of memory", None]
    with path.open("a") as file:
        file.write('{"row": "cut o')
    second = gpu.run(path, on, rows(), budget=60)
    assert ran == ["first", "bad", "copy", "bad"]
    assert [r["row"] for r in second] == ["first", "copy", "bad"]
    assert len(gpu.run(path, {"gpu": "another"}, rows(), budget=60)) == 3
    assert gpu.table(second).splitlines() == [
        "| check | error | allowed | |",
        "|---|---:|---:|---|",
        "| first | 1.0e-07 | 1.0e-05 | right |",
        "| bad |  |  | right |",
        "",
        "| row | ms | in a graph | peak MiB |",
        "|---|---:|---:|---:|",
        "| copy | 1.5000 |  | 1.0 |",
    ]
    assert json.loads(path.read_text().splitlines()[0])["machine"] == on
