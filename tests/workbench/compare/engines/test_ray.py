"""Ray for real: a cluster of node processes on this machine, and one of the engine's own."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from dysample.workbench.choose import UpsamplerSpec
from dysample.workbench.compare.comparison import compare
from dysample.workbench.settings import Settings
from dysample.workbench.training.run import run_task
from support import engine_jobs
from support.specs import spec_of

pytest.importorskip("ray")
from ray.cluster_utils import Cluster

from dysample.workbench.compare.engines.ray import RETRIES, RayEngine
from support.refusals import refused

TESTS = Path(engine_jobs.__file__).parents[1]
NODE = {"num_cpus": 2, "object_store_memory": 80 * 2**20}
# A lost node is noticed after a second and a half, not after fifteen.
HEALTH = {
    "health_check_initial_delay_ms": 500,
    "health_check_period_ms": 500,
    "health_check_failure_threshold": 3,
}
TINY = [
    "--batch-size=2", "--size=32", "--width=8", "--train-frames=8", "--val-frames=4",
    "--upsamplers=nearest,bilinear", "--seeds=1", "--engine=ray", "--workers=1",
]  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _surroundings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Of the nodes: they see the tests' modules and scenes, and write no token for the user."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(TESTS), prepend=os.pathsep)
        patch.setenv("DYSAMPLE_CACHE", str(tmp_path_factory.getbasetemp() / "scenes"))
        patch.setenv("RAY_AUTH_MODE", "disabled")
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        yield


@pytest.fixture(scope="module")
def cluster(_surroundings: None) -> Iterator[Cluster]:
    head = {**NODE, "include_dashboard": False, "_system_config": HEALTH}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    yield cluster
    cluster.shutdown()


def ignore(run: str, done: int, total: int) -> None:
    pass


def records(output: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (output / "results.jsonl").read_text().splitlines()]


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 90
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert condition()


def test_jobs_run_in_other_processes_with_one_thread(cluster: Cluster) -> None:
    steps = []
    jobs = {"a": engine_jobs.report_threads, "b": engine_jobs.fail, "c": engine_jobs.hurry}
    engine = RayEngine(address=cluster.address)
    with engine.open():
        outcomes = {}
        for outcome in engine.run_jobs(jobs, lambda *step: steps.append(step)):
            outcomes[outcome.run] = outcome
            assert outcome.error or outcome.run in {run for run, _, _ in steps}
    assert outcomes["a"].record["threads"] == 1
    assert outcomes["a"].record["process"] != os.getpid()
    assert outcomes["b"].record is None
    assert outcomes["b"].error == "ValueError: `loss` (=nan) must be finite"
    assert outcomes["b"].lost_workers == 0  # an error of its own is no reason to try again
    assert outcomes["c"].record == {}
    assert sorted(steps) == [("a", 10, 10), ("c", 5, 5)]


def test_lost_workers_are_replaced_but_not_for_ever(
    cluster: Cluster, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    jobs = {"a": partial(engine_jobs.die_once, tmp_path / "died"), "b": engine_jobs.die}
    engine = RayEngine(address=cluster.address)
    with engine.open():
        a, b = sorted(engine.run_jobs(jobs, ignore), key=lambda outcome: outcome.run)
    assert (a.record, a.lost_workers) == ({}, 1)
    assert (b.record, b.lost_workers) == (None, RETRIES + 1)
    assert b.error.startswith("its process or machine was lost each time: WorkerCrashedError: ")
    assert capfd.readouterr() == ("", "")


def test_no_more_jobs_at_a_time_than_workers(cluster: Cluster) -> None:
    jobs = {str(i): engine_jobs.take_a_while for i in range(3)}
    engine = RayEngine(1, cluster.address)
    with engine.open():
        spans = [outcome.record for outcome in engine.run_jobs(jobs, ignore)]
    assert len(spans) == 3
    for before, after in pairwise(spans):
        assert before["end"] <= after["start"]


def test_jobs_of_a_lost_node_are_done_on_another(cluster: Cluster) -> None:
    node = cluster.add_node(**{**NODE, "num_cpus": 1})
    underway = set()

    def on_step(run: str, done: int, total: int) -> None:
        underway.add(run)
        # Three CPUs, three jobs: one of them is on that node.
        if len(underway) == 3 and node in cluster.worker_nodes:
            cluster.remove_node(node, allow_graceful=False)

    engine = RayEngine(address=cluster.address)
    with engine.open():
        jobs = {str(i): engine_jobs.take_steps for i in range(4)}
        outcomes = list(engine.run_jobs(jobs, on_step))
    assert sorted(outcome.run for outcome in outcomes) == ["0", "1", "2", "3"]
    assert [outcome.record for outcome in outcomes] == [{"steps": 40}] * 4
    assert sorted(outcome.lost_workers for outcome in outcomes) == [0, 0, 0, 1]


@pytest.mark.slow
def test_a_lost_node_costs_no_run(
    cluster: Cluster,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    tiny: Callable[..., Settings],
) -> None:
    # The nodes were started in another folder.
    monkeypatch.chdir(tmp_path)
    settings = tiny(steps=150, width=8, batch_size=2)
    node = cluster.add_node(**{**NODE, "num_cpus": 1})
    # Three CPUs, three runs with a checkpoint: one of them is on that node.
    killer = threading.Thread(
        target=lambda: (
            wait_for(lambda: len(list(tmp_path.glob("runs/*/last.ckpt"))) == 3),
            cluster.remove_node(node, allow_graceful=False),
        )
    )
    killer.start()
    told = StringIO()
    failures = compare(
        "scenes",
        {"semantic": settings},
        [UpsamplerSpec("nearest"), UpsamplerSpec("bilinear")],
        2,
        Path(),
        RayEngine(address=cluster.address),
        Console(file=told, width=200),
    )
    killer.join()
    assert failures == []
    assert "restarted once" in told.getvalue()
    got = {(record["upsampler"], record["seed"]): record for record in records(tmp_path)}
    assert sorted(got) == [("bilinear", 0), ("bilinear", 1), ("nearest", 0), ("nearest", 1)]
    assert len(records(tmp_path)) == 4
    for (upsampler, seed), record in got.items():
        again = run_task(spec_of(settings, upsampler, seed), tmp_path / "again")
        (tmp_path / "again" / "last.ckpt").unlink()
        assert record["metrics"] == again.metrics


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("somewhere", "must be 'auto' or HOST:PORT"),
        ("ray://127.0.0.1:10001", "must be 'auto' or HOST:PORT"),
        ("127.0.0.1:1", "must be of a Ray cluster: .*refused"),
        ("127.0.0.1:99999", "must be of a Ray cluster: "),
    ],
)
def test_wrong_addresses_are_found_at_once(address: str, message: str) -> None:
    with refused(rf"^`address` \(='{address}'\) {message}"):
        RayEngine(address=address)


def command(output: Path, *more: str) -> list[str]:
    start = [sys.executable, "-W", "error", "-m", "dysample", "compare", "--output", str(output)]
    return [*start, *TINY, *more]


@pytest.mark.slow
def test_a_killed_comparison_stops_and_goes_on(tmp_path: Path) -> None:
    """The whole command with a Ray of its own, in which every warning is an error."""
    arguments = command(tmp_path, "--steps=600")
    running = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    # One run is in the file, the other one under way.
    wait_for(lambda: len(list(tmp_path.glob("runs/*/last.ckpt"))) == 2)
    running.send_signal(signal.SIGKILL)
    running.wait()
    (first,) = records(tmp_path)
    time.sleep(3)
    kept = {path: path.stat().st_mtime for path in tmp_path.glob("runs/*/last.ckpt")}
    time.sleep(2)
    assert kept == {path: path.stat().st_mtime for path in tmp_path.glob("runs/*/last.ckpt")}

    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 of 2 runs are in" in done.stdout
    assert "ray" not in done.stdout.replace(str(tmp_path), "").lower()
    assert [record["upsampler"] for record in records(tmp_path)] == ["bilinear", "nearest"]
    assert records(tmp_path)[0] == first


@pytest.mark.slow
def test_interrupted_it_ends_soon_and_leaves_nobody_behind(tmp_path: Path) -> None:
    arguments = command(tmp_path, "--steps=100000")
    running = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: list(tmp_path.glob("runs/*/last.ckpt")))
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=30)
    assert running.returncode == 130
    assert errors.strip() == "dysample: stopped; run the same command again to resume"
    (checkpoint,) = tmp_path.glob("runs/*/last.ckpt")
    before = checkpoint.stat().st_mtime
    time.sleep(2)
    assert checkpoint.stat().st_mtime == before
