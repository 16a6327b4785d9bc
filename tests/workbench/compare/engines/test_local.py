import subprocess
import sys
import time
from pathlib import Path

from dysample.workbench.compare.engines.local import LocalEngine
from support import engine_jobs


def ignore(run: str, done: int, total: int) -> None:
    pass


def test_jobs_run_in_other_processes_with_one_thread() -> None:
    steps = []
    jobs = {"a": engine_jobs.report_threads, "b": engine_jobs.fail}
    outcomes = {
        outcome.run: outcome
        for outcome in LocalEngine(1).run_jobs(jobs, lambda *step: steps.append(step))
    }
    assert outcomes["a"].record["threads"] == 1
    assert outcomes["a"].record["process"] != 0
    assert outcomes["b"].record is None
    assert outcomes["b"].error == "ValueError: `loss` (=nan) must be finite"
    assert steps == [("a", 10, 10)]


def test_every_step_arrives_before_its_outcome() -> None:
    steps = []
    jobs = {str(i): engine_jobs.hurry for i in range(300)}
    for outcome in LocalEngine(1).run_jobs(jobs, lambda *step: steps.append(step)):
        assert (outcome.run, 5, 5) in steps


def test_a_killed_worker_is_reported() -> None:
    (outcome,) = LocalEngine(1).run_jobs({"a": engine_jobs.die}, ignore)
    assert outcome.record is None
    assert "killed" in outcome.error


def test_workers_die_with_a_killed_parent(tmp_path: Path) -> None:
    file = tmp_path / "tick"
    code = (
        "import sys; from functools import partial; from pathlib import Path;"
        f"sys.path.insert(0, {str(Path(__file__).parents[3])!r});"
        "from support import engine_jobs\n"
        "from dysample.workbench.compare.engines.local import LocalEngine\n"
        "if __name__ == '__main__':\n"
        f"    job = partial(engine_jobs.tick_forever, Path({str(file)!r}))\n"
        "    list(LocalEngine(1).run_jobs({'a': job}, lambda *step: None))\n"
    )
    script = tmp_path / "parent.py"
    script.write_text(code)
    parent = subprocess.Popen([sys.executable, script])
    deadline = time.monotonic() + 60
    while not file.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert file.exists()
    parent.kill()
    parent.wait()
    time.sleep(1)
    last = file.read_text()
    time.sleep(0.5)
    assert file.read_text() == last
