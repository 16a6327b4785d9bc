"""How the command line ends, in processes that load `dysample.cli.ending` and nothing else."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import dysample.cli.ending

START = (
    "import errno, os, signal, sys, time\n"
    "from importlib.util import module_from_spec, spec_from_file_location\n"
    f"spec = spec_from_file_location('ending', {dysample.cli.ending.__file__!r})\n"
    "ending = module_from_spec(spec); spec.loader.exec_module(ending)\n"
    "sys.argv = ['dysample', 'train']\n"
    "def verbs():\n"
)
GOES_ON = "dysample: stopped; run the same command with --resume to resume\n"
WAITS = "    print('ready', flush=True); time.sleep(60)\n"


def start(body: str, **options: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", f"{START}{body}ending.end(verbs)\n"]
    pipe = subprocess.PIPE
    usual = {name: text for name, text in os.environ.items() if name != "PYTHONUNBUFFERED"}
    options = {"env": usual} | options
    return subprocess.Popen(command, **{"stdout": pipe, "stderr": pipe, "text": True} | options)


def ended(body: str, **options: object) -> tuple[int, str]:
    process = start(body, **options)
    _, errors = process.communicate(timeout=60)
    return process.returncode, errors


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
@pytest.mark.parametrize(
    "body",
    [
        WAITS,
        # What libraries make of it: Lightning exits, others raise their own or drop it.
        f"    try:\n    {WAITS}    except KeyboardInterrupt: sys.exit(1)\n",
        f"    try:\n    {WAITS}    except BaseException: raise ImportError('multiarray')\n",
        f"    try:\n    {WAITS}    except BaseException: pass\n",
        "    class Dying:\n"
        "        def __del__(self): print('ready', flush=True); time.sleep(60)\n"
        "    Dying(); time.sleep(60)\n",
        "    ending.LEAST = 0.5\n    while True:\n"
        "        try: print('ready', flush=True); time.sleep(60)\n"
        "        except KeyboardInterrupt: pass\n",
    ],
)
def test_a_signal_says_how_to_go_on(name: str, code: int, body: str) -> None:
    process = start(body)
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(getattr(signal, name))
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (code, GOES_ON)


def test_a_second_signal_ends_it_at_once() -> None:
    process = start(
        f"    try:\n    {WAITS}    finally: print('cleaning', flush=True); time.sleep(60)\n"
    )
    assert process.stdout is not None
    for _ in range(2):
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=20)[1] == GOES_ON
    assert process.returncode == 130


def test_a_signal_that_is_ignored_stays_so() -> None:
    process = start(
        "    print('ready', flush=True); time.sleep(0.5)\n",
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGHUP)
    assert process.communicate(timeout=20)[1] == ""
    assert process.returncode == 0


def test_forked_workers_and_other_processes_of_a_training_say_nothing() -> None:
    body = (
        "    child = os.fork()\n"
        "    if child == 0: time.sleep(60)\n"
        "    time.sleep(0.2); os.kill(child, signal.SIGTERM)\n"
        "    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])\n"
    )
    assert ended(body) == (143, "")
    body = "    os.kill(os.getpid(), signal.SIGTERM); time.sleep(60)\n"
    assert ended(body, env={**os.environ, "LOCAL_RANK": "1"}) == (143, "")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ("ValueError('a\\n  b')", "a b"),
        ("TypeError()", "TypeError"),
        (
            "OSError(errno.ENOSPC, 'No space left on device', '/a/b')",
            "/a/b: No space left on device",
        ),
        ("OSError(errno.ENOLCK, 'No locks available')", "No locks available"),
        ("FileNotFoundError('folder x does not exist')", "folder x does not exist"),
        ("OSError(errno.EMFILE, 'Too many', 'x')", "x: Too many (ulimit -n says how many"),
        ("MemoryError()", "out of memory: there is not enough of it"),
        ("RuntimeError('CUDA out of memory. Tried')", "out of memory: CUDA out of memory. Tried"),
        (
            "ModuleNotFoundError('x', name='rich')",
            "no module rich: pip install 'dysample[workbench]'",
        ),
    ],
)
def test_a_mistake_is_one_line(error: str, message: str) -> None:
    code, errors = ended(f"    raise {error}\n")
    assert code == 2
    assert errors.startswith(f"dysample: error: {message}")
    assert errors.count("\n") == 1


def test_a_fault_of_ours_shows_where_it_is() -> None:
    code, errors = ended("    raise KeyError('x')\n")
    assert code == 1
    assert "Traceback" in errors


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("size", [10, 100_000])
def test_what_cannot_be_printed_is_told(size: int) -> None:
    with Path("/dev/full").open("w") as full:
        code, errors = ended(f"    print('x' * {size})\n", stdout=full)
    assert code == 2
    assert errors.startswith("dysample: error: ")
    assert "No space left on device" in errors
    assert errors.count("\n") == 1


def test_a_reader_that_has_seen_enough_is_no_mistake() -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        assert ended("    print('x')\n", stdout=write) == (0, "")
    finally:
        os.close(write)
