"""Signals at random moments of a training and of a comparison, which then go on."""

import json
import shutil
import signal
import time
from pathlib import Path
from random import Random
from typing import Any

import torch

from attack.children import Child, process, verb
from attack.kinds import COMPARE, TRAIN, Kind, Made, Outcome, parts_left

SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGSTOP)

CHANCES = 4
"""Signals to one run at most."""

INTERPRETER = 0.1
"""Share of the runs in an interpreter of their own, whose imports take most of the time."""


def _train(rng: Random, folder: Path, made: Made) -> Outcome:
    command = [*TRAIN, "--resume", "--output", folder / "out"]
    outcome = _interrupt(rng, command, made.trained, folder)
    outcome.faults += compared_weights(made.trained, folder / "out")
    return outcome


def _compare(rng: Random, folder: Path, made: Made) -> Outcome:
    return _interrupt(rng, [*COMPARE, "--output", folder / "out"], made.compared, folder)


def _interrupt(rng: Random, command: list[Any], whole: Path, folder: Path) -> Outcome:
    """Signals to a command that begins again each time, until it is through."""
    outcome, output = Outcome(0), folder / "out"
    usual = duration(command, whole, folder)
    for _ in range(rng.randint(1, CHANCES)):
        signum, group = rng.choice(SIGNALS), rng.random() < 0.5
        make = process if rng.random() < INTERPRETER else verb
        before = lines(output)
        child = Child(make(*command), folder)
        while signum != signal.SIGKILL and not child.catches(signal.SIGTERM):
            time.sleep(0.005)  # Python itself is not ours
        time.sleep(rng.uniform(0, usual))
        child.signal(signum, group)
        if signum == signal.SIGSTOP:
            time.sleep(rng.uniform(0.05, 0.5))
            child.signal(signal.SIGCONT, group)
        ended = child.wait()
        outcome.tried += 1
        code = {signal.SIGKILL: -9, signal.SIGSTOP: 0}.get(signum, 128 + signum)
        outcome.faults += [f"{signum.name}: {fault}" for fault in ended.faults(code, 0)]
        if ended.code > 128 and not _says_how_to_go_on(ended.stderr):
            outcome.faults.append(f"{signum.name}: not one line: {ended.stderr[-1000:]!r}")
        if lines(output)[: len(before)] != before:
            outcome.faults.append(f"{signum.name}: results were lost or changed")
        if ended.code == 0 or outcome.faults:
            break
    return finish(outcome, command, whole, folder)


def finish(outcome: Outcome, command: list[Any], whole: Path, folder: Path) -> Outcome:
    """Go on to the end; the results are those of the whole run, each once."""
    output = folder / "out"
    before = lines(output)
    ended = Child(verb(*command), folder).wait()
    outcome.faults += [f"going on: {fault}" for fault in ended.faults(0)]
    after = lines(output)
    if after[: len(before)] != before:
        outcome.faults.append("going on: results were lost or changed")
    expected, found = _metrics(lines(whole)), _metrics(after)
    if found != expected:
        outcome.faults.append(f"going on: {found} and not {expected}")
    outcome.faults += parts_left(output)
    expected_files, found_files = files(whole), files(output)
    if found_files != expected_files:
        outcome.faults.append(f"other files: {sorted(found_files ^ expected_files)}")
    return outcome


def compared_weights(whole: Path, output: Path) -> list[str]:
    """Checkpoints whose weights are others than those of the whole run."""
    faults = []
    for name in ("last.ckpt", "best.ckpt"):
        if not (output / name).exists():
            faults.append(f"{name} is lost")
            continue
        expected, found = (
            torch.load(path / name, weights_only=True)["state_dict"] for path in (whole, output)
        )
        if not all(torch.equal(expected[key], found[key]) for key in expected):
            faults.append(f"{name}: other weights than those of the whole run")
    return faults


def lines(output: Path) -> list[str]:
    """Of the result file."""
    path = output / "results.jsonl"
    return path.read_text().splitlines() if path.exists() else []


def files(output: Path) -> set[str]:
    """What a run keeps, apart from logs, of which every attempt writes its own."""
    names = {str(path.relative_to(output)) for path in output.rglob("*") if path.is_file()}
    return {name for name in names if not {"log", "tensorboard"} & set(Path(name).parts)}


def duration(command: list[Any], whole: Path, folder: Path) -> float:
    """Seconds of the command in a fork, measured once and kept beside its result."""
    note = whole.with_suffix(".seconds")
    if not note.exists():
        began = time.monotonic()
        output = folder / "measured"
        Child(verb(*command[:-1], output), folder).wait()
        note.write_text(str(time.monotonic() - began))
        shutil.rmtree(output)
    return float(note.read_text())


def _metrics(records: list[str]) -> list[Any]:
    """In an order of their own: runs end as they do."""
    found = map(json.loads, records)
    return sorted([r["upsampler"], r["seed"], r["run"], r["metrics"]] for r in found)


def _says_how_to_go_on(stderr: str) -> bool:
    # Click ends the line in which a terminal shows ^C.
    return stderr.startswith(("dysample: stopped; ", "\ndysample: stopped; ")) and (
        stderr.strip().count("\n") == 0
    )


KINDS = (
    Kind("kill-train", "kills", 170, _train),
    Kind("kill-compare", "kills", 30, _compare),
)
